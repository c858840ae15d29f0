/**
 * Which devices a task is for. Asked anew each time, so that a device enrolled later, or moved to another subnet or
 * group, is targeted from then on. Pure.
 */
import { cidrContains } from "../net/subnet.ts";
import type { DeviceRecord } from "./catalog.ts";

/** @param target `all`, `device:ID`, `subnet:CIDR` or `group:NAME`, as the API's schema lets it in. */
export function isTargeted(target: string, device: Pick<DeviceRecord, "id" | "subnet" | "groups">): boolean {
  if (target === "all") return true;
  const at = target.indexOf(":");
  const kind = target.slice(0, at);
  const value = target.slice(at + 1);
  if (kind === "device") return device.id === value;
  if (kind === "group") return device.groups.includes(value);
  if (kind === "subnet") return device.subnet !== null && cidrContains(value, device.subnet.cidr);
  return false;
}
