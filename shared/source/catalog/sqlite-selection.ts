/**
 * Selections of devices as conditions of SQL: a list of ids, or a range. A range costs a part of a
 * list where it selects many devices.
 */
import type { DeviceSelection } from "./catalog.ts";

export const listedSql = "device_id IN (SELECT value FROM json_each($ids))";
export const rangeSql = "device_id BETWEEN $first AND $last";

/** Returns which of both conditions a selection needs, and its parameters. */
export const selected = (
  devices: DeviceSelection,
): { readonly kind: "listed" | "ranged"; readonly values: Record<string, string> } =>
  "first" in devices
    ? { kind: "ranged", values: { first: devices.first, last: devices.last } }
    : { kind: "listed", values: { ids: JSON.stringify(devices) } };
