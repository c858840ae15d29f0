/**
 * Store of merged subnets in SQLite. A merge moves devices, leases and WAN account in one
 * transaction, so that no request meets one half.
 */
import type { Database } from "bun:sqlite";
import { mergeLeases } from "../../model/lease.ts";
import { isTransient } from "../../model/subnet.ts";
import type { NeighbourCandidate, SubnetStore } from "./catalog.ts";
import { parseLease } from "./sqlite-leases.ts";

/** Other subnets of a CIDR up to which their devices are candidates, whatever their address. */
const subnetsMax = 8;
/** Candidates of one subnet. Most recently seen first, because the source probes connected ones. */
const candidatesMax = 16;

type Row = { id: string; lan_address: string; lan_port: number; subnet_id: string; own_subnet_site: string };
const columns = "id, lan_address, lan_port, subnet_id, own_subnet_site";
/**
 * A device that was merged alone does not count as evidence for others, and one that waits for an
 * approval proves nothing.
 */
const isUsable = `removed_at_ms IS NULL AND awaits_approval = 0 AND lan_port > 0 AND (own_subnet_id = subnet_id OR own_subnet_site NOT LIKE 'egress:%')`;

const toCandidate = (row: Row): NeighbourCandidate => ({
  deviceId: row.id,
  address: row.lan_address,
  lanPort: row.lan_port,
  subnetId: row.subnet_id,
  isTransient: isTransient({ site: row.own_subnet_site }),
});

function candidates(database: Database): SubnetStore["candidates"] {
  const behindSameAddress = database.query<
    Row,
    { remote: string; cidr: string; group: string; subnetId: string }
  >(
    `SELECT ${columns} FROM devices
     WHERE remote_address = $remote AND subnet_cidr = $cidr AND subnet_group = $group
       AND subnet_id <> $subnetId AND ${isUsable}
     ORDER BY last_seen_at_ms DESC LIMIT ${candidatesMax}`,
  );
  const otherSubnets = database.query<
    { subnet_id: string },
    { cidr: string; group: string; subnetId: string }
  >(
    `SELECT DISTINCT subnet_id FROM devices
     WHERE subnet_cidr = $cidr AND subnet_group = $group AND subnet_id <> $subnetId AND removed_at_ms IS NULL
     LIMIT ${subnetsMax + 1}`,
  );
  const ofSubnet = database.query<Row, { cidr: string; group: string; subnetId: string }>(
    `SELECT ${columns} FROM devices
     WHERE subnet_cidr = $cidr AND subnet_group = $group AND subnet_id = $subnetId AND ${isUsable}
     ORDER BY last_seen_at_ms DESC LIMIT ${candidatesMax}`,
  );
  return async ({ subnet, ownSubnet }, { group, remoteAddress: remote }) => {
    if (subnet === null || ownSubnet === null) return [];
    if (isTransient(ownSubnet) && ownSubnet.id !== subnet.id) return [];
    const { cidr, id: subnetId } = subnet;
    const near = behindSameAddress.all({ remote, cidr, group, subnetId });
    const others = otherSubnets.all({ cidr, group, subnetId });
    const far =
      others.length > subnetsMax
        ? []
        : others.flatMap((other) => ofSubnet.all({ cidr, group, subnetId: other.subnet_id }));
    const known = new Set(near.map(({ id }) => id));
    return [...near, ...far.filter(({ id }) => !known.has(id))].map(toCandidate);
  };
}

function candidate(database: Database): SubnetStore["candidate"] {
  const find = database.query<Row, { id: string; otherId: string }>(
    `SELECT ${columns} FROM devices
     WHERE id = $otherId AND ${isUsable} AND EXISTS (
       SELECT 1 FROM devices AS own WHERE own.id = $id AND own.subnet_cidr = devices.subnet_cidr
         AND own.subnet_group = devices.subnet_group AND own.subnet_id <> devices.subnet_id)`,
  );
  return async (id, otherId) => {
    const row = find.get({ id, otherId });
    return row && toCandidate(row);
  };
}

/** Moves leases and WAN account of a subnet to another one. */
function accountMover(database: Database): (names: { from: string; into: string }, nowMs: number) => void {
  const leases = database.query<{ package_id: string; state_json: string }, { from: string }>(
    "DELETE FROM leases WHERE subnet_id = $from RETURNING package_id, state_json",
  );
  const lease = database.query<{ state_json: string }, { packageId: string; into: string }>(
    "SELECT state_json FROM leases WHERE package_id = $packageId AND subnet_id = $into",
  );
  const putLease = database.query(
    `INSERT INTO leases (package_id, subnet_id, state_json) VALUES ($packageId, $into, $state)
     ON CONFLICT DO UPDATE SET state_json = excluded.state_json`,
  );
  const sums = ["source_bytes", "web_bytes", "direct_bytes"];
  const moves = [
    { table: "wan_hours", keys: "hour, package", counters: sums },
    { table: "wan_tasks", keys: "task_id", counters: ["bytes"] },
  ].flatMap(({ table, keys, counters }) => [
    database.query(
      `INSERT INTO ${table} (${keys}, subnet_id, ${counters.join(", ")})
       SELECT ${keys}, $into, ${counters.join(", ")} FROM ${table} WHERE subnet_id = $from
       ON CONFLICT DO UPDATE SET ${counters.map((each) => `${each} = ${each} + excluded.${each}`).join(", ")}`,
    ),
    database.query(`DELETE FROM ${table} WHERE subnet_id = $from AND $into <> $from`),
  ]);
  return ({ from, into }, nowMs) => {
    for (const { package_id: packageId, state_json: text } of leases.all({ from })) {
      const state = parseLease(text);
      const other = lease.get({ packageId, into });
      const next = other ? mergeLeases(parseLease(other.state_json), state, nowMs) : state;
      putLease.run({ packageId, into, state: JSON.stringify(next) });
    }
    for (const move of moves) move.run({ from, into });
  };
}

/** Egresses of one subnet that are kept; the oldest is dropped. */
const egressesMax = 32;

/** Adds the egress of a device to those of a subnet. */
function joinEgress(database: Database): (subnetId: string, deviceId: string, atMs: number) => void {
  const put = database.query(
    `INSERT OR IGNORE INTO subnet_egresses (subnet_id, egress, joined_at_ms)
     SELECT $subnetId, egress, $atMs FROM devices WHERE id = $deviceId AND egress IS NOT NULL`,
  );
  const drop = database.query(
    `DELETE FROM subnet_egresses WHERE subnet_id = $subnetId AND egress NOT IN (
       SELECT egress FROM subnet_egresses WHERE subnet_id = $subnetId
       ORDER BY joined_at_ms DESC, egress LIMIT ${egressesMax})`,
  );
  return (subnetId, deviceId, atMs) => {
    put.run({ subnetId, deviceId, atMs });
    drop.run({ subnetId });
  };
}

/** Devices of the same subnet that share its lease, as candidates for one that does not. */
function sharers(database: Database): SubnetStore["sharers"] {
  const find = database.query<Row, { subnetId: string }>(
    `SELECT ${columns} FROM devices
     WHERE subnet_id = $subnetId AND removed_at_ms IS NULL AND lan_port > 0 AND egress IN (
       SELECT egress FROM subnet_egresses WHERE subnet_id = $subnetId)
     ORDER BY last_seen_at_ms DESC LIMIT ${candidatesMax}`,
  );
  return async (subnetId) => find.all({ subnetId }).map(toCandidate);
}

function merge(database: Database): SubnetStore["merge"] {
  const put = database.query(
    `INSERT INTO subnet_merges (device_id, subnet_id, into_id, into_site, confirmed_by_json, merged_at_ms)
     VALUES ($deviceId, $from, $into, $site, $confirmedBy, $atMs)
     ON CONFLICT DO UPDATE SET into_id = excluded.into_id, into_site = excluded.into_site,
       confirmed_by_json = excluded.confirmed_by_json, merged_at_ms = excluded.merged_at_ms`,
  );
  const forward = database.query(
    "UPDATE subnet_merges SET into_id = $into, into_site = $site WHERE into_id = $from",
  );
  const moveAll = database.query<{ id: string }, { from: string; into: string; site: string }>(
    "UPDATE devices SET subnet_id = $into, subnet_site = $site WHERE subnet_id = $from RETURNING id",
  );
  const moveOne = database.query<{ id: string }, { deviceId: string; into: string; site: string }>(
    "UPDATE devices SET subnet_id = $into, subnet_site = $site WHERE id = $deviceId RETURNING id",
  );
  const moveAccount = accountMover(database);
  // Name and site of the merged subnet count where the other one has none.
  const moveLabel = database.query(
    `INSERT INTO subnet_labels (subnet_id, name, site_id)
     SELECT $into, name, site_id FROM subnet_labels WHERE subnet_id = $from
     ON CONFLICT DO UPDATE SET name = coalesce(name, excluded.name), site_id = coalesce(site_id, excluded.site_id)`,
  );
  const joinAll = database.query(
    `INSERT OR IGNORE INTO subnet_egresses (subnet_id, egress, joined_at_ms)
     SELECT $into, egress, $atMs FROM subnet_egresses WHERE subnet_id = $from`,
  );
  const join = joinEgress(database);
  const run = database.transaction((one: Parameters<SubnetStore["merge"]>[0], nowMs: number) => {
    const { deviceId, atMs } = one;
    const [from, into, site] = [one.from.id, one.into.id, one.into.site];
    const confirmedBy = JSON.stringify(one.confirmedBy);
    put.run({ deviceId: deviceId ?? "", from, into, site, confirmedBy, atMs });
    for (const each of one.confirmedBy) join(into, each, atMs);
    if (deviceId === null) joinAll.run({ from, into, atMs });
    if (deviceId !== null) return moveOne.all({ deviceId, into, site });
    forward.run({ from, into, site });
    moveAccount({ from, into }, nowMs);
    moveLabel.run({ from, into });
    return moveAll.all({ from, into, site });
  });
  return async (one, nowMs) => run.immediate(one, nowMs).map(({ id }) => id);
}

function split(database: Database): SubnetStore["split"] {
  const end = database.query("DELETE FROM subnet_merges WHERE into_id = $subnetId");
  const move = database.query<{ id: string }, { subnetId: string }>(
    `UPDATE devices SET subnet_id = own_subnet_id, subnet_site = own_subnet_site
     WHERE subnet_id = $subnetId AND own_subnet_id <> $subnetId RETURNING id`,
  );
  const run = database.transaction((subnetId: string) => {
    end.run({ subnetId });
    return move.all({ subnetId });
  });
  return async (subnetId) => run.immediate(subnetId).map(({ id }) => id);
}

export function sqliteSubnets(database: Database): SubnetStore {
  const count = database.query<{ devices: number }, { subnetId: string }>(
    "SELECT count(*) AS devices FROM devices WHERE subnet_id = $subnetId AND removed_at_ms IS NULL AND awaits_approval = 0",
  );
  const join = joinEgress(database);
  const side = database.query<Row, { id: string }>(
    `SELECT ${columns} FROM devices WHERE id = $id AND subnet_id IS NOT NULL AND lan_port > 0 AND removed_at_ms IS NULL`,
  );
  return {
    candidates: candidates(database),
    candidate: candidate(database),
    async sideOf(deviceId) {
      const row = side.get({ id: deviceId });
      return row && toCandidate(row);
    },
    sharers: sharers(database),
    async joinEgress(subnetId, deviceId, atMs) {
      join(subnetId, deviceId, atMs);
    },
    async deviceCount(subnetId) {
      return count.get({ subnetId })!.devices;
    },
    merge: merge(database),
    split: split(database),
  };
}
