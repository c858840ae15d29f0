/** Limits of the machine's kernel that a run changes, and sets back at its end. */
import { readFile, writeFile } from "node:fs/promises";
import type { Cleanup } from "../rig/cleanup.ts";

/**
 * What one kernel shares among all hosts of a lab and each host has for itself: the queue of a processor before it looks at
 * what devices brought (a burst is there once for each receiver), and the table of neighbours. A container that may not
 * change them has a lab all the same: up to some thirty devices on a LAN they suffice.
 */
export async function raiseKernelLimits(cleanup: Cleanup): Promise<void> {
  for (const [key, least] of limitsForHosts)
    await setDuringRun(key, (before) => Math.max(before, least), cleanup).catch((error: unknown) =>
      console.error(
        `${key} stays as it is (${String(error)}): a LAN of more than 30 devices may lose datagrams`,
      ),
    );
}

/** The largest table first, for none may be below a smaller one meanwhile. */
const limitsForHosts = [
  ["net.core.netdev_max_backlog", 100_000],
  ["net.ipv4.neigh.default.gc_thresh3", 65_536],
  ["net.ipv4.neigh.default.gc_thresh2", 32_768],
  ["net.ipv4.neigh.default.gc_thresh1", 16_384],
] as const;

/** The limit for receive buffers; programs that ask for more get this much. */
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
  cleanup.add(`set ${key} to ${before} again`, () => writeFile(path, String(before)));
  await writeFile(path, String(value));
}
