/**
 * Selects the implementation of platform.ts for the operating system of this process. A system
 * without its own file uses the one for Linux.
 */
import * as darwin from "./darwin.ts";
import * as linux from "./linux.ts";
import type { Platform } from "./platform.ts";
import * as windows from "./windows.ts";

const systems: Partial<Record<NodeJS.Platform, Platform>> = { darwin, linux, win32: windows };

export const platform: Platform = systems[process.platform] ?? linux;
export type {
  DeviceClass,
  DiskClaim,
  InterfaceTraits,
  KernelInterface,
  Platform,
  ProcessTree,
} from "./platform.ts";
