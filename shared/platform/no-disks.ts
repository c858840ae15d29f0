/** Disks of systems on which no imaging environment runs: there are none to write. */
import type { DiskFacts, MachineEnd } from "../model/image-order.ts";
import type { DiskClaim } from "./platform.ts";

const notHere = "disks are written by an imaging environment, which runs Linux";

export const listDisks = async (): Promise<readonly DiskFacts[]> => [];

/** @throws Error */
export function claimDisk(path: string): DiskClaim {
  throw new Error(`"${path}" is not written: ${notHere}`);
}

/** @throws Error */
export async function endMachine(how: Exclude<MachineEnd, "stay">): Promise<void> {
  throw new Error(`no ${how}: ${notHere}`);
}
