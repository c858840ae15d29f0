/** Limits of the machine's kernel that a run changes, and restores at its end. */
import { readFile, writeFile } from "node:fs/promises";
import type { Cleanup } from "../rig/cleanup.ts";

/**
 * Raises limits that all hosts of a lab share, while each real host has its own: the input queue of
 * a processor (a burst is queued once per receiver) and the neighbour table. The default limits
 * suffice for some thirty devices on a LAN, so a failure to raise a limit is only a warning.
 */
export async function raiseKernelLimits(cleanup: Cleanup): Promise<void> {
  for (const [key, least] of limitsForHosts)
    await setDuringRun(key, (before) => Math.max(before, least), cleanup).catch((error: unknown) =>
      console.error(
        `Cannot raise ${key} (${String(error)}): a LAN of more than 30 devices may lose datagrams`,
      ),
    );
}

/** In this order: the kernel requires gc_thresh1 ≤ gc_thresh2 ≤ gc_thresh3 at any time. */
const limitsForHosts = [
  ["net.core.netdev_max_backlog", 100_000],
  ["net.ipv4.neigh.default.gc_thresh3", 65_536],
  ["net.ipv4.neigh.default.gc_thresh2", 32_768],
  ["net.ipv4.neigh.default.gc_thresh1", 16_384],
] as const;

/** Limits receive buffers during the run; programs that request more get `sizeBytes`. */
export const limitReceiveBuffers = (sizeBytes: number, cleanup: Cleanup): Promise<void> =>
  setDuringRun("net.core.rmem_max", () => sizeBytes, cleanup);

async function setDuringRun(
  key: string,
  valueOf: (before: number) => number,
  cleanup: Cleanup,
): Promise<void> {
  const path = `/proc/sys/${key.replaceAll(".", "/")}`;
  const before = Number(await readFile(path, "utf8"));
  const value = valueOf(before);
  if (value === before) return;
  cleanup.add(`restore ${key} to ${before}`, () => writeFile(path, String(before)));
  await writeFile(path, String(value));
}
