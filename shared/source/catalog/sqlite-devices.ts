/** Store of devices, their inventory and the digests of their credentials in SQLite. */
import type { Database } from "bun:sqlite";
import type { Inventory } from "../../api/schema/common.ts";
import type { DeviceRecord, DeviceStore } from "./catalog.ts";

type Row = {
  id: string;
  hostname: string;
  enrolled_at_ms: number;
  last_seen_at_ms: number;
  subnet_id: string | null;
  subnet_cidr: string | null;
  subnet_site: string | null;
  groups_json: string;
};
const columns =
  "id, hostname, enrolled_at_ms, last_seen_at_ms, subnet_id, subnet_cidr, subnet_site, groups_json";

const toDevice = (row: Row): DeviceRecord => ({
  id: row.id,
  hostname: row.hostname,
  enrolledAtMs: row.enrolled_at_ms,
  lastSeenAtMs: row.last_seen_at_ms,
  subnet:
    row.subnet_id === null
      ? null
      : { id: row.subnet_id, cidr: row.subnet_cidr ?? "", site: row.subnet_site ?? "" },
  groups: JSON.parse(row.groups_json) as string[],
});

function recordCheckIn(database: Database): DeviceStore["recordCheckIn"] {
  const update = database.query(
    `UPDATE devices SET hostname = $hostname, os = $os, arch = $arch, agent_version = $agentVersion,
       last_seen_at_ms = $atMs, subnet_id = $subnetId, subnet_cidr = $cidr, subnet_site = $site,
       groups_json = $groups, inventory_json = $inventory
     WHERE id = $id`,
  );
  return async (id, { inventory, subnet, atMs }) => {
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
    });
  };
}

export function sqliteDevices(database: Database): DeviceStore {
  const byCredential = database.query<Row, { sha256: string }>(
    `SELECT ${columns} FROM devices WHERE credential_sha256 = $sha256`,
  );
  const byId = database.query<Row, { id: string }>(`SELECT ${columns} FROM devices WHERE id = $id`);
  const list = database.query<Row, []>(`SELECT ${columns} FROM devices ORDER BY enrolled_at_ms, id`);
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
