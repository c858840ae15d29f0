/** Row of a device in SQLite, and its form for the rest of the source. */
import type { RemovalReason } from "../../model/enrolment.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { DeviceLife, DeviceRecord } from "./device-record.ts";

export type DeviceRow = {
  id: string;
  hostname: string;
  agent_version: string;
  enrolled_at_ms: number;
  last_seen_at_ms: number;
  subnet_id: string | null;
  subnet_cidr: string | null;
  subnet_site: string | null;
  own_subnet_id: string | null;
  own_subnet_site: string | null;
  groups_json: string;
  display_name: string | null;
  suspended_at_ms: number | null;
  taken_over_at_ms: number | null;
  removed_at_ms: number | null;
  removed_why: RemovalReason | null;
};
export const deviceColumns = `id, hostname, agent_version, enrolled_at_ms, last_seen_at_ms, subnet_id, subnet_cidr,
  subnet_site, own_subnet_id, own_subnet_site, groups_json, display_name, suspended_at_ms, taken_over_at_ms,
  removed_at_ms, removed_why`;

const toSubnet = (id: string | null, cidr: string | null, site: string | null): SubnetIdentity | null =>
  id === null ? null : { id, cidr: cidr ?? "", site: site ?? "" };

function lifeOf(row: Pick<DeviceRow, "removed_at_ms" | "removed_why" | "suspended_at_ms">): DeviceLife {
  if (row.removed_at_ms !== null)
    return { state: "removed", atMs: row.removed_at_ms, why: row.removed_why ?? "removed" };
  return row.suspended_at_ms === null
    ? { state: "active" }
    : { state: "suspended", atMs: row.suspended_at_ms };
}

export function toDevice(row: DeviceRow): DeviceRecord {
  const life = lifeOf(row);
  return {
    id: row.id,
    hostname: row.hostname,
    enrolledAtMs: row.enrolled_at_ms,
    lastSeenAtMs: row.last_seen_at_ms,
    subnet: toSubnet(row.subnet_id, row.subnet_cidr, row.subnet_site),
    ownSubnet: toSubnet(row.own_subnet_id, row.subnet_cidr, row.own_subnet_site),
    groups: life.state === "suspended" ? [] : (JSON.parse(row.groups_json) as string[]),
    name: row.display_name,
    agentVersion: row.agent_version,
    life,
    takenOverAtMs: row.taken_over_at_ms,
  };
}
