/**
 * Decides which devices a task targets. Pure.
 *
 * Callers evaluate the target each time, so it also applies to devices that enrol later or move to
 * another subnet or group.
 */
import { cidrContains } from "../model/subnet.ts";

/** The properties of a device that a target can name. */
type Targetable = {
  readonly id: string;
  readonly subnet: { readonly cidr: string } | null;
  readonly groups: readonly string[];
};

/**
 * Returns whether a task with this target is for the device.
 * @param target `all`, `device:ID`, `subnet:CIDR` or `group:NAME`; any other text matches no device
 */
export function isTargeted(target: string, device: Targetable): boolean {
  if (target === "all") return true;
  const at = target.indexOf(":");
  const kind = target.slice(0, at);
  const value = target.slice(at + 1);
  if (kind === "device") return device.id === value;
  if (kind === "group") return device.groups.includes(value);
  if (kind === "subnet") return device.subnet !== null && cidrContains(value, device.subnet.cidr);
  return false;
}
