/** Disks of the machine for a device. */
import { openSystemDisk } from "../cache/index.ts";
import type { Disks } from "../device/ports.ts";
import { platform } from "../platform/index.ts";
import type { Imaging } from "./agent-options.ts";

export const disksOf = (imaging: Imaging | null): Disks => ({
  isImaging: imaging !== null,
  onlyTask: imaging?.onlyTask ?? null,
  onlyDisk: imaging?.onlyDisk ?? null,
  list: () => platform.listDisks(),
  open: openSystemDisk,
});
