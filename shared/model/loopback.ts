/** Whether a host is this machine, by its address or its fixed name. No name is resolved. */
import ipaddr from "ipaddr.js";
import { unbracketed } from "./unbracketed.ts";

/** Returns whether `host`, also one in brackets, is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const address = unbracketed(host);
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}
