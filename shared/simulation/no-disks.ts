/** Disks of a simulated machine, which runs its installed system: none is written. */
import type { Disks } from "../device/ports.ts";

export const noDisks: Disks = {
  isImaging: false,
  onlyTask: null,
  onlyDisk: null,
  list: async () => [],
  open: async ({ path }) => {
    throw new Error(`the simulated machine has no disk ${path}`);
  },
};
