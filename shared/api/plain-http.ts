/**
 * Rule for sources without TLS: tokens, credentials and task keys leave this machine over http://
 * only if the command line allows that. No environment variable does.
 */
import { isLoopback } from "../model/loopback.ts";

/** Option of every command that sends a token or a credential. */
export const plainHttpFlag = "--allow-plain-http";

/** Returns why nothing is sent to a source's URL, and what to do; null for https and loopback. */
export function plainHttpProblem(url: string): string | null {
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:" || isLoopback(hostname)) return null;
  return `${url} has no TLS: tokens and keys would cross the network in clear. Give the https:// address of the source, or ${plainHttpFlag} in a lab`;
}
