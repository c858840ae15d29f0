/** Disks of the machine for a device. */
import { openSystemDisk } from "../cache/index.ts";
import type { Disks } from "../device/ports.ts";
import { platform } from "../platform/index.ts";

export const disksOf = (isImaging: boolean): Disks => ({
  isImaging,
  list: () => platform.listDisks(),
  open: openSystemDisk,
});
