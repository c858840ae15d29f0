/** Store of devices, their inventory and the digests of their credentials in SQLite. */
import type { Database } from "bun:sqlite";
import type { Inventory } from "../../api/schema/common.ts";
import { egressOf } from "../../model/egress.ts";
import type { SubnetIdentity } from "../../model/subnet.ts";
import type { DeliveryCount, DeviceStore } from "./catalog.ts";
import type { DeviceFacts } from "./device-record.ts";
import { selectDevices as select, toDevice, type DeviceRow as Row } from "./sqlite-device-row.ts";
import { statementWriter } from "./sqlite-device-statements.ts";
import { endStatesSql } from "./sqlite-task-reports.ts";

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

/** Returns the columns of a device after a check-in. */
function rowOf(
  id: string,
  { inventory, packages, place, atMs }: CheckIn,
  { subnet, egress }: { readonly subnet: SubnetIdentity | null; readonly egress: string | null },
) {
  const own = place?.ownSubnet ?? null;
  return {
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
    packages: JSON.stringify(packages),
    ownId: own?.id ?? null,
    ownSite: own?.site ?? null,
    group: place?.group ?? null,
    remote: place?.remoteAddress ?? null,
    egress,
    lanAddress: place?.address ?? null,
    lanPort: place?.lanPort ?? 0,
  };
}

function recordCheckIn(database: Database): DeviceStore["recordCheckIn"] {
  const update = database.query(
    `UPDATE devices SET hostname = $hostname, os = $os, arch = $arch, agent_version = $agentVersion,
       last_seen_at_ms = $atMs, subnet_id = $subnetId, subnet_cidr = $cidr, subnet_site = $site,
       own_subnet_id = $ownId, own_subnet_site = $ownSite, subnet_group = $group,
       remote_address = $remote, egress = $egress, lan_address = $lanAddress, lan_port = $lanPort,
       groups_json = $groups, facts_json = $facts, packages_json = $packages,
       checked_in_at_ms = $atMs, unused_instance = NULL
     WHERE id = $id`,
  );
  const putInventory = database.query(
    `INSERT INTO device_inventories (device_id, inventory_json) VALUES ($id, $inventory)
     ON CONFLICT DO UPDATE SET inventory_json = excluded.inventory_json
     WHERE inventory_json <> excluded.inventory_json`,
  );
  // A merge of this device alone ends when its identity changes: it may be at another place.
  const forget = database.query(
    "DELETE FROM subnet_merges WHERE device_id = $id AND subnet_id IS NOT $ownId",
  );
  const merged = database.query<{ into_id: string; into_site: string }, { id: string; ownId: string }>(
    `SELECT into_id, into_site FROM subnet_merges
     WHERE device_id IN ('', $id) AND subnet_id = $ownId ORDER BY device_id DESC LIMIT 1`,
  );
  // The first egress of a subnet only gives the name: devices of another one have a lease too.
  const foundEgress = database.query(
    `INSERT INTO subnet_egresses (subnet_id, egress, joined_at_ms) SELECT $subnetId, $egress, $atMs
     WHERE NOT EXISTS (SELECT 1 FROM subnet_egresses WHERE subnet_id = $subnetId)`,
  );
  const state = statementWriter(database);
  const record = database.transaction((id: string, checkIn: CheckIn) => {
    const { inventory, place, atMs } = checkIn;
    const own = place?.ownSubnet ?? null;
    forget.run({ id, ownId: own?.id ?? null });
    const row = own && merged.get({ id, ownId: own.id });
    const subnet = row && own ? { id: row.into_id, cidr: own.cidr, site: row.into_site } : own;
    const egress = place === null ? null : egressOf(place.ownSubnet.cidr, place.remoteAddress);
    if (subnet !== null) foundEgress.run({ subnetId: subnet.id, egress, atMs });
    update.run(rowOf(id, checkIn, { subnet, egress }));
    putInventory.run({ id, inventory: JSON.stringify(inventory) });
    state(id, checkIn, atMs);
    return subnet;
  });
  return async (id, checkIn) => record.immediate(id, checkIn);
}

function ways(database: Database): DeviceStore["ways"] {
  type WayRow = { subnet_id: string; way: DeliveryCount["way"]; causes: string; devices: number };
  const count = database.query<WayRow, { ids: string }>(
    `SELECT subnet_id, way, way_causes_json AS causes, count(*) AS devices FROM devices
     WHERE subnet_id IN (SELECT value FROM json_each($ids)) AND way IS NOT NULL AND way_subnet_id = own_subnet_id AND removed_at_ms IS NULL
     GROUP BY subnet_id, way, way_causes_json ORDER BY devices DESC`,
  );
  return async (ids) =>
    count.all({ ids: JSON.stringify(ids) }).map(({ subnet_id: subnetId, way, causes, devices }) => ({
      subnetId,
      way,
      causes: JSON.parse(causes) as string[],
      devices,
    }));
}

export function sqliteDevices(database: Database): DeviceStore {
  const byCredential = database.query<Row, { sha256: string }>(
    `${select} WHERE credential_sha256 = $sha256 AND removed_at_ms IS NULL`,
  );
  const byId = database.query<Row, { id: string }>(
    `${select} WHERE devices.id = $id AND removed_at_ms IS NULL`,
  );
  const count = database.query<{ devices: number }, []>("SELECT devices FROM device_count");
  const withoutEnd = database.query<Row, { taskId: number; subnetId: string }>(
    `${select} WHERE devices.subnet_id = $subnetId AND removed_at_ms IS NULL AND NOT EXISTS (
       SELECT 1 FROM progress WHERE task_id = $taskId AND device_id = devices.id
         AND state IN (${endStatesSql}))`,
  );
  const inventories = database.query<{ id: string; inventory_json: string }, { ids: string }>(
    `SELECT device_id AS id, inventory_json FROM device_inventories
     WHERE device_id IN (SELECT value FROM json_each($ids))`,
  );
  const lastSeen = database.query<{ id: string; at_ms: number }, { ids: string }>(
    "SELECT id, last_seen_at_ms AS at_ms FROM devices WHERE id IN (SELECT value FROM json_each($ids))",
  );
  const touch = database.query("UPDATE devices SET last_seen_at_ms = $atMs WHERE id = $id");
  const touchAll = database.transaction((ids: readonly string[], atMs: number) => {
    for (const id of ids) touch.run({ id, atMs });
  });
  return {
    async byCredential(sha256) {
      const row = byCredential.get({ sha256 });
      return row && toDevice(row);
    },
    async byId(id) {
      const row = byId.get({ id });
      return row && toDevice(row);
    },
    async count() {
      return count.get()!.devices;
    },
    async withoutEnd(taskId, subnetId) {
      return withoutEnd.all({ taskId, subnetId }).map(toDevice);
    },
    async inventories(ids) {
      return new Map(
        inventories
          .all({ ids: JSON.stringify(ids) })
          .map((row) => [row.id, JSON.parse(row.inventory_json) as Inventory] as const),
      );
    },
    lastSeen: async (ids) =>
      new Map(lastSeen.all({ ids: JSON.stringify(ids) }).map((row) => [row.id, row.at_ms] as const)),
    ways: ways(database),
    touch: async (ids, atMs) => touchAll(ids, atMs),
    recordCheckIn: recordCheckIn(database),
  };
}
