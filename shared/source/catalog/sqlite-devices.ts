/** Store of devices, their inventory and the digests of their credentials in SQLite. */
import type { Database } from "bun:sqlite";
import type { Inventory } from "../../api/schema/common.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { DeliveryCount, DeviceFacts, DeviceRecord, DeviceStore } from "./catalog.ts";
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
  os: string;
  arch: string;
  agent_version: string;
  facts_json: string;
  tags_json: string;
  groups_json: string;
  subnet_name: string | null;
  site_name: string | null;
};
/** Devices with the names of their subnet and site. */
const select = `SELECT devices.id, hostname, enrolled_at_ms, last_seen_at_ms, devices.subnet_id, subnet_cidr,
    subnet_site, own_subnet_id, own_subnet_site, os, arch, agent_version, facts_json, tags_json, groups_json,
    subnet_labels.name AS subnet_name, sites.name AS site_name
  FROM devices
  LEFT JOIN subnet_labels ON subnet_labels.subnet_id = devices.subnet_id
  LEFT JOIN sites ON sites.id = subnet_labels.site_id`;

const toSubnet = (id: string | null, cidr: string | null, site: string | null): SubnetIdentity | null =>
  id === null ? null : { id, cidr: cidr ?? "", site: site ?? "" };

const toDevice = (row: Row): DeviceRecord => ({
  id: row.id,
  hostname: row.hostname,
  enrolledAtMs: row.enrolled_at_ms,
  lastSeenAtMs: row.last_seen_at_ms,
  subnet: toSubnet(row.subnet_id, row.subnet_cidr, row.subnet_site),
  ownSubnet: toSubnet(row.own_subnet_id, row.subnet_cidr, row.own_subnet_site),
  os: row.os,
  arch: row.arch,
  agentVersion: row.agent_version,
  facts: JSON.parse(row.facts_json) as DeviceFacts,
  tags: JSON.parse(row.tags_json) as string[],
  wishes: JSON.parse(row.groups_json) as string[],
  subnetName: row.subnet_name,
  site: row.site_name,
});

function factsOf({
  deviceClass,
  onBattery,
  memoryBytes,
  diskFreeBytes,
  cacheBytes,
  interfaces,
}: Inventory): DeviceFacts {
  const medium = interfaces.find(({ active }) => active)?.medium;
  const stated = { deviceClass, onBattery, memoryBytes, diskFreeBytes, cacheBytes };
  return medium === undefined ? stated : { ...stated, medium };
}

type CheckIn = Parameters<DeviceStore["recordCheckIn"]>[1];

function recordCheckIn(database: Database): DeviceStore["recordCheckIn"] {
  const update = database.query(
    `UPDATE devices SET hostname = $hostname, os = $os, arch = $arch, agent_version = $agentVersion,
       last_seen_at_ms = $atMs, subnet_id = $subnetId, subnet_cidr = $cidr, subnet_site = $site,
       own_subnet_id = $ownId, own_subnet_site = $ownSite, subnet_group = $group,
       remote_address = $remote, lan_address = $lanAddress, lan_port = $lanPort,
       groups_json = $groups, facts_json = $facts, inventory_json = $inventory
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
      facts: JSON.stringify(factsOf(inventory)),
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

function ways(database: Database): DeviceStore["ways"] {
  type WayRow = { subnet_id: string; way: DeliveryCount["way"]; causes: string; devices: number };
  const count = database.query<WayRow, []>(
    `SELECT subnet_id, way, way_causes_json AS causes, count(*) AS devices FROM devices
     WHERE subnet_id IS NOT NULL AND way IS NOT NULL AND way_subnet_id = own_subnet_id
     GROUP BY subnet_id, way, way_causes_json ORDER BY devices DESC`,
  );
  return async () =>
    count.all().map(({ subnet_id: subnetId, way, causes, devices }) => ({
      subnetId,
      way,
      causes: JSON.parse(causes) as string[],
      devices,
    }));
}

export function sqliteDevices(database: Database): DeviceStore {
  const byCredential = database.query<Row, { sha256: string }>(`${select} WHERE credential_sha256 = $sha256`);
  const byId = database.query<Row, { id: string }>(`${select} WHERE devices.id = $id`);
  const list = database.query<Row, []>(`${select} ORDER BY enrolled_at_ms, devices.id`);
  const withoutEnd = database.query<Row, { taskId: number; subnetId: string }>(
    `${select} WHERE devices.subnet_id = $subnetId AND NOT EXISTS (
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
    ways: ways(database),
    async touch(id, atMs) {
      database.query("UPDATE devices SET last_seen_at_ms = $atMs WHERE id = $id").run({ id, atMs });
    },
    recordCheckIn: recordCheckIn(database),
  };
}
