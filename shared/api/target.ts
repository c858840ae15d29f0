/**
 * Which devices a task is for. Asked anew each time, so that a device enrolled later, or moved to another subnet or
 * group, is targeted from then on. Pure.
 */
import { cidrContains } from "../model/subnet.ts";

/** What a target is compared with, of a device. */
type Targetable = {
  readonly id: string;
  readonly subnet: { readonly cidr: string } | null;
  readonly groups: readonly string[];
};

/** @param target `all`, `device:ID`, `subnet:CIDR` or `group:NAME`, as the API's schema lets it in. */
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
