/** Store of devices, their inventory and the digests of their credentials in SQLite. */
import type { Database } from "bun:sqlite";
import type { Inventory } from "../../api/schema/common.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { DeviceRecord, DeviceStore } from "./catalog.ts";
import { endStatesSql } from "./sqlite-tasks.ts";

type Row = {
  id: string;
  hostname: string;
  enrolled_at_ms: number;
  last_seen_at_ms: number;
  subnet_id: string | null;
  subnet_cidr: string | null;
  subnet_site: string | null;
  own_subnet_id: string | null;
  own_subnet_site: string | null;
  groups_json: string;
};
const columns = `id, hostname, enrolled_at_ms, last_seen_at_ms, subnet_id, subnet_cidr, subnet_site,
  own_subnet_id, own_subnet_site, groups_json`;

const toSubnet = (id: string | null, cidr: string | null, site: string | null): SubnetIdentity | null =>
  id === null ? null : { id, cidr: cidr ?? "", site: site ?? "" };

const toDevice = (row: Row): DeviceRecord => ({
  id: row.id,
  hostname: row.hostname,
  enrolledAtMs: row.enrolled_at_ms,
  lastSeenAtMs: row.last_seen_at_ms,
  subnet: toSubnet(row.subnet_id, row.subnet_cidr, row.subnet_site),
  ownSubnet: toSubnet(row.own_subnet_id, row.subnet_cidr, row.own_subnet_site),
  groups: JSON.parse(row.groups_json) as string[],
});

type CheckIn = Parameters<DeviceStore["recordCheckIn"]>[1];

function recordCheckIn(database: Database): DeviceStore["recordCheckIn"] {
  const update = database.query(
    `UPDATE devices SET hostname = $hostname, os = $os, arch = $arch, agent_version = $agentVersion,
       last_seen_at_ms = $atMs, subnet_id = $subnetId, subnet_cidr = $cidr, subnet_site = $site,
       own_subnet_id = $ownId, own_subnet_site = $ownSite, subnet_group = $group,
       remote_address = $remote, lan_address = $lanAddress, lan_port = $lanPort,
       groups_json = $groups, inventory_json = $inventory
     WHERE id = $id`,
  );
  // A merge of this device alone ends when its identity changes: it may be at another place.
  const forget = database.query(
    "DELETE FROM subnet_merges WHERE device_id = $id AND subnet_id IS NOT $ownId",
  );
  const merged = database.query<{ into_id: string; into_site: string }, { id: string; ownId: string }>(
    `SELECT into_id, into_site FROM subnet_merges
     WHERE device_id IN ('', $id) AND subnet_id = $ownId ORDER BY device_id DESC LIMIT 1`,
  );
  const record = database.transaction((id: string, { inventory, place, atMs }: CheckIn) => {
    const own = place?.ownSubnet ?? null;
    forget.run({ id, ownId: own?.id ?? null });
    const row = own && merged.get({ id, ownId: own.id });
    const subnet = row && own ? { id: row.into_id, cidr: own.cidr, site: row.into_site } : own;
    update.run({
      id,
      hostname: inventory.hostname,
      os: inventory.os,
      arch: inventory.arch,
      agentVersion: inventory.agentVersion,
      atMs,
      subnetId: subnet?.id ?? null,
      cidr: subnet?.cidr ?? null,
      site: subnet?.site ?? null,
      groups: JSON.stringify(inventory.groups),
      inventory: JSON.stringify(inventory),
      ownId: own?.id ?? null,
      ownSite: own?.site ?? null,
      group: place?.group ?? null,
      remote: place?.remoteAddress ?? null,
      lanAddress: place?.address ?? null,
      lanPort: place?.lanPort ?? 0,
    });
    return subnet;
  });
  return async (id, checkIn) => record.immediate(id, checkIn);
}

export function sqliteDevices(database: Database): DeviceStore {
  const byCredential = database.query<Row, { sha256: string }>(
    `SELECT ${columns} FROM devices WHERE credential_sha256 = $sha256`,
  );
  const byId = database.query<Row, { id: string }>(`SELECT ${columns} FROM devices WHERE id = $id`);
  const list = database.query<Row, []>(`SELECT ${columns} FROM devices ORDER BY enrolled_at_ms, id`);
  const withoutEnd = database.query<Row, { taskId: number; subnetId: string }>(
    `SELECT ${columns} FROM devices WHERE subnet_id = $subnetId AND NOT EXISTS (
       SELECT 1 FROM progress WHERE task_id = $taskId AND device_id = devices.id
         AND state IN (${endStatesSql}))`,
  );
  const inventories = database.query<{ id: string; inventory_json: string }, []>(
    "SELECT id, inventory_json FROM devices WHERE inventory_json IS NOT NULL",
  );
  return {
    async add(device) {
      database
        .query(
          `INSERT INTO devices
             (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms)
           VALUES ($id, $credentialSha256, $hostname, $os, $arch, $agentVersion, $enrolledAtMs, $enrolledAtMs)`,
        )
        .run(device);
    },
    async byCredential(sha256) {
      const row = byCredential.get({ sha256 });
      return row && toDevice(row);
    },
    async byId(id) {
      const row = byId.get({ id });
      return row && toDevice(row);
    },
    async list() {
      return list.all().map(toDevice);
    },
    async withoutEnd(taskId, subnetId) {
      return withoutEnd.all({ taskId, subnetId }).map(toDevice);
    },
    async inventories() {
      return new Map(
        inventories.all().map((row) => [row.id, JSON.parse(row.inventory_json) as Inventory] as const),
      );
    },
    async touch(id, atMs) {
      database.query("UPDATE devices SET last_seen_at_ms = $atMs WHERE id = $id").run({ id, atMs });
    },
    recordCheckIn: recordCheckIn(database),
  };
}
