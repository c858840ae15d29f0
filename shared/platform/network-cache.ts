/**
 * Keeps the answer about the interfaces on systems where it is not free: while no address changes,
 * and for a bounded time.
 */
import { networkInterfaces } from "node:os";
import type { KernelNetwork } from "./platform.ts";

/** @param ageMs age at which the system is asked again although no address has changed */
export function cachedNetwork(
  ageMs: number,
  read: () => Promise<KernelNetwork>,
): () => Promise<KernelNetwork> {
  let known: { addresses: string; readAtMs: number; network: Promise<KernelNetwork> } | null = null;
  return () => {
    const addresses = JSON.stringify(networkInterfaces());
    const nowMs = performance.now();
    if (known?.addresses !== addresses || nowMs - known.readAtMs > ageMs)
      known = { addresses, readAtMs: nowMs, network: read() };
    return known.network;
  };
}
