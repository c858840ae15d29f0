/** Row of a device in SQLite, and its form for the rest of the source. */
import type { RemovalReason } from "../../model/enrolment.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { DeviceFacts, DeviceLife, DeviceRecord } from "./device-record.ts";

export type DeviceRow = {
  id: string;
  hostname: string;
  os: string;
  arch: string;
  agent_version: string;
  enrolled_at_ms: number;
  last_seen_at_ms: number;
  subnet_id: string | null;
  subnet_cidr: string | null;
  subnet_site: string | null;
  own_subnet_id: string | null;
  own_subnet_site: string | null;
  lan_address: string | null;
  egress: string | null;
  shares_lease: number;
  facts_json: string;
  tags_json: string;
  groups_json: string;
  subnet_name: string | null;
  site_name: string | null;
  display_name: string | null;
  suspended_at_ms: number | null;
  taken_over_at_ms: number | null;
  removed_at_ms: number | null;
  removed_why: RemovalReason | null;
  awaits_approval: number;
  enrolled_with: string | null;
  is_imaging: number;
  approval_code: string | null;
};
/** Devices with the names of their subnet and site. */
export const selectDevices = `SELECT devices.id, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms,
    devices.subnet_id, subnet_cidr, subnet_site, own_subnet_id, own_subnet_site, lan_address, egress, facts_json, tags_json, groups_json,
    egress IS NULL OR EXISTS (SELECT 1 FROM subnet_egresses
      WHERE subnet_egresses.subnet_id = devices.subnet_id AND subnet_egresses.egress = devices.egress) AS shares_lease,
    display_name, suspended_at_ms, taken_over_at_ms, removed_at_ms, removed_why, awaits_approval, enrolled_with,
    is_imaging, approval_code, subnet_labels.name AS subnet_name, sites.name AS site_name
  FROM devices
  LEFT JOIN subnet_labels ON subnet_labels.subnet_id = devices.subnet_id
  LEFT JOIN sites ON sites.id = subnet_labels.site_id`;

/** Returns the name under which the device shares lease, tokens and manifest with others. */
const shareOf = ({ subnet_id: id, egress, shares_lease: shares }: DeviceRow): string | null =>
  id === null || shares === 1 ? id : `${id}~${egress}`;

const toSubnet = (id: string | null, cidr: string | null, site: string | null): SubnetIdentity | null =>
  id === null ? null : { id, cidr: cidr ?? "", site: site ?? "" };

function lifeOf(
  row: Pick<DeviceRow, "removed_at_ms" | "removed_why" | "suspended_at_ms" | "awaits_approval">,
): DeviceLife {
  if (row.removed_at_ms !== null)
    return { state: "removed", atMs: row.removed_at_ms, why: row.removed_why ?? "removed" };
  return row.suspended_at_ms === null
    ? { state: "active" }
    : { state: row.awaits_approval === 1 ? "waiting" : "suspended", atMs: row.suspended_at_ms };
}

export const toDevice = (row: DeviceRow): DeviceRecord => ({
  id: row.id,
  hostname: row.hostname,
  enrolledAtMs: row.enrolled_at_ms,
  lastSeenAtMs: row.last_seen_at_ms,
  subnet: toSubnet(row.subnet_id, row.subnet_cidr, row.subnet_site),
  ownSubnet: toSubnet(row.own_subnet_id, row.subnet_cidr, row.own_subnet_site),
  share: shareOf(row),
  egress: row.egress,
  lanAddress: row.lan_address,
  os: row.os,
  arch: row.arch,
  agentVersion: row.agent_version,
  facts: JSON.parse(row.facts_json) as DeviceFacts,
  tags: JSON.parse(row.tags_json) as string[],
  wishes: JSON.parse(row.groups_json) as string[],
  subnetName: row.subnet_name,
  site: row.site_name,
  name: row.display_name,
  life: lifeOf(row),
  takenOverAtMs: row.taken_over_at_ms,
  isImaging: row.is_imaging === 1,
  approvalCode: row.approval_code,
  enrolledWith: row.enrolled_with,
});
