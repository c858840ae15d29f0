/**
 * Requests to the provider of single sign-on: bounded in time and size, over https, and over http
 * only to this machine.
 */
import { isLoopback } from "../../model/loopback.ts";

const timeoutMs = 10_000;
/** Upper bound on an answer: keys and claims are far smaller. */
const answerBytesMax = 1_048_576;

/** Returns whether the source may send secrets to this URL. */
export function isProtected(url: URL): boolean {
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && isLoopback(url.hostname);
}

type Init = { readonly method: string; readonly headers: unknown; readonly body?: unknown };

/**
 * Sends a request of oauth4webapi, which validates the answer.
 * @throws Error for an address without TLS, and for an answer that is too large
 */
export async function providerFetch(address: string, init: Init): Promise<Response> {
  if (!isProtected(new URL(address))) throw new Error(`${new URL(address).origin} has no TLS`);
  const response = await fetch(address, {
    ...(init as RequestInit),
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  const { status, headers } = response;
  const body = await boundedBody(response);
  return new Response(status === 204 ? null : body, { status, headers });
}

async function boundedBody(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > answerBytesMax) throw new Error(`the answer has more than ${answerBytesMax} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
