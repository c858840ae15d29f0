/**
 * Index of all devices in memory, by id, with the properties that targets name: an evaluation reads
 * no row of SQLite. Triggers of this connection note the devices that a transaction changes, and
 * the next reader reads these alone. The index begins empty at each start of the source.
 */
import type { Database } from "bun:sqlite";
import type { ScannedDevice } from "./device-list.ts";
import type { DeviceFacts, DeviceRecord } from "./device-record.ts";

/** Columns that the index has. A contact changes none of them. */
const columns = [
  "hostname",
  "display_name",
  "os",
  "arch",
  "agent_version",
  "subnet_id",
  "subnet_cidr",
  "subnet_site",
  "facts_json",
  "tags_json",
  "groups_json",
  "suspended_at_ms",
  "awaits_approval",
  "is_imaging",
  "enrolled_at_ms",
] as const;
const watched = [...columns, "removed_at_ms"];

const note = (kind: "device" | "labels", id: string): string =>
  `BEGIN INSERT INTO index_changes VALUES ('${kind}', ${id}) ON CONFLICT DO NOTHING; END;`;
const noteLabels = (table: string): string =>
  ["INSERT", "UPDATE", "DELETE"]
    .map(
      (event) =>
        `CREATE TEMP TRIGGER index_${table}_${event} AFTER ${event} ON main.${table} ${note("labels", "''")}`,
    )
    .join("\n");
/** Changes since the last read, in the memory of this connection. A rollback takes them back. */
const changesSql = `
  CREATE TEMP TABLE index_changes (kind TEXT, id TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
  CREATE TEMP TRIGGER index_devices_insert AFTER INSERT ON main.devices ${note("device", "new.id")}
  CREATE TEMP TRIGGER index_devices_delete AFTER DELETE ON main.devices ${note("device", "old.id")}
  CREATE TEMP TRIGGER index_devices_update AFTER UPDATE OF ${watched.join(", ")} ON main.devices
    WHEN ${watched.map((column) => `old.${column} IS NOT new.${column}`).join(" OR ")}
    ${note("device", "new.id")}
  ${noteLabels("subnet_labels")}
  ${noteLabels("sites")}`;

type Values = [
  id: string,
  hostname: string,
  displayName: string | null,
  os: string,
  arch: string,
  agentVersion: string,
  subnetId: string | null,
  cidr: string | null,
  site: string | null,
  facts: string,
  tags: string,
  wishes: string,
  suspendedAtMs: number | null,
  awaitsApproval: number,
  isImaging: number,
  enrolledAtMs: number,
];

type Label = { readonly id: string; readonly name: string | null; readonly site: string | null };
type Row = Omit<ScannedDevice, "subnetName" | "site">;

/** Rows that one step reads. */
const stepRows = 1_000;
const sharedMax = 10_000;

/** Returns a function that gives equal texts one value, which it makes once. */
function shared<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = make(text);
    if (known.size >= sharedMax) known.clear();
    known.set(text, made);
    return made;
  };
}

/** Device with the names that its subnet has now. */
class IndexedDevice implements ScannedDevice {
  readonly #row: Row;
  readonly #index: DeviceIndex;

  constructor(row: Row, index: DeviceIndex) {
    this.#row = row;
    this.#index = index;
  }

  get id(): string {
    return this.#row.id;
  }
  get hostname(): string {
    return this.#row.hostname;
  }
  get name(): string | null {
    return this.#row.name;
  }
  get os(): string {
    return this.#row.os;
  }
  get arch(): string {
    return this.#row.arch;
  }
  get agentVersion(): string {
    return this.#row.agentVersion;
  }
  get enrolledAtMs(): number {
    return this.#row.enrolledAtMs;
  }
  get subnet(): DeviceRecord["subnet"] {
    return this.#row.subnet;
  }
  get subnetName(): string | null {
    return this.#label?.name ?? null;
  }
  get site(): string | null {
    return this.#label?.site ?? null;
  }
  get facts(): DeviceFacts {
    return this.#row.facts;
  }
  get tags(): readonly string[] {
    return this.#row.tags;
  }
  get wishes(): readonly string[] {
    return this.#row.wishes;
  }
  get isSuspended(): boolean {
    return this.#row.isSuspended;
  }
  get isImaging(): boolean {
    return this.#row.isImaging;
  }
  get isWaiting(): boolean {
    return this.#row.isWaiting;
  }
  get #label(): Label | undefined {
    const { subnet } = this.#row;
    return subnet === null ? undefined : this.#index.labelOf(subnet.id);
  }
}

export class DeviceIndex {
  readonly #devices: IndexedDevice[] = [];
  readonly #read: ReturnType<typeof reader>;
  readonly #toRow = rowMaker();
  #labels: ReadonlyMap<string, Label> | null = null;
  /** Last device that the first read has reached; null: it has reached all. */
  #readTo: string | null = "";

  constructor(database: Database) {
    database.run(changesSql);
    this.#read = reader(database);
  }

  /** Number of devices; the index may still be to read others. */
  get size(): number {
    return this.#devices.length;
  }

  labelOf(subnetId: string): Label | undefined {
    return this.#labels?.get(subnetId);
  }

  /** Reads a part of what has changed, or of all at first. @returns whether nothing is left */
  readPart(): boolean {
    this.#labels ??= this.#read.labels();
    if (this.#readTo !== null) {
      const rows = this.#read.after(this.#readTo, stepRows);
      for (const row of rows) this.#put(row);
      this.#readTo = rows.length < stepRows ? null : rows.at(-1)![0];
      return false;
    }
    const { ids, hasLabels, areAll } = this.#read.takeChanges(stepRows);
    if (hasLabels) this.#labels = this.#read.labels();
    const left = new Set(ids);
    for (const row of this.#read.rows(ids)) {
      left.delete(row[0]);
      this.#put(row);
    }
    for (const id of left) this.#drop(id);
    return areAll;
  }

  /** Returns devices by id after one. */
  after(id: string | null, limit: number): readonly ScannedDevice[] {
    const found = id === null ? 0 : this.#placeOf(id);
    const from = this.#devices[found]?.id === id ? found + 1 : found;
    return this.#devices.slice(from, from + limit);
  }

  #put(values: Values): void {
    const device = new IndexedDevice(this.#toRow(values), this);
    const last = this.#devices.at(-1);
    if (last === undefined || last.id < device.id) {
      this.#devices.push(device);
      return;
    }
    const place = this.#placeOf(device.id);
    const isKnown = this.#devices[place]?.id === device.id;
    this.#devices.splice(place, isKnown ? 1 : 0, device);
  }

  #drop(id: string): void {
    const place = this.#placeOf(id);
    if (this.#devices[place]?.id === id) this.#devices.splice(place, 1);
  }

  /** Returns the place of the first device whose id is not below this one. */
  #placeOf(id: string): number {
    let [low, high] = [0, this.#devices.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#devices[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Returns the function that makes a row of values; devices share equal texts and lists. */
function rowMaker(): (values: Values) => Row {
  const text = shared((one) => one);
  const list = shared((one) => JSON.parse(one) as readonly string[]);
  const facts = shared((one) => JSON.parse(one) as DeviceFacts);
  const subnets = shared((one) => {
    const [id, cidr, site] = JSON.parse(one) as [string, string | null, string | null];
    return { id, cidr: cidr ?? "", site: site ?? "" };
  });
  return ([id, hostname, name, os, arch, agentVersion, subnetId, cidr, site, ...rest]) => {
    const [factsJson, tags, wishes, suspendedAtMs, awaitsApproval, isImaging, enrolledAtMs] = rest;
    return {
      id,
      hostname,
      name,
      os: text(os),
      arch: text(arch),
      agentVersion: text(agentVersion),
      subnet: subnetId === null ? null : subnets(JSON.stringify([subnetId, cidr, site])),
      facts: facts(factsJson),
      tags: list(tags),
      wishes: list(wishes),
      isSuspended: suspendedAtMs !== null,
      isWaiting: suspendedAtMs !== null && awaitsApproval === 1,
      isImaging: isImaging === 1,
      enrolledAtMs,
    };
  };
}

/** Statements of the index. */
function reader(database: Database) {
  const select = `SELECT id, ${columns.join(", ")} FROM devices`;
  const after = database.query<unknown, { after: string; limit: number }>(
    `${select} WHERE removed_at_ms IS NULL AND id > $after ORDER BY id LIMIT $limit`,
  );
  const rows = database.query<unknown, { ids: string }>(
    `${select} WHERE removed_at_ms IS NULL AND id IN (SELECT value FROM json_each($ids))`,
  );
  const labels = database.query<Label, []>(
    `SELECT subnet_id AS id, subnet_labels.name, sites.name AS site FROM subnet_labels
     LEFT JOIN sites ON sites.id = site_id`,
  );
  const changes = database.query<{ kind: "device" | "labels"; id: string }, { limit: number }>(
    "SELECT kind, id FROM index_changes LIMIT $limit",
  );
  const forget = database.query(
    "DELETE FROM index_changes WHERE (kind, id) IN (SELECT kind, id FROM index_changes LIMIT $limit)",
  );
  return {
    after: (id: string, limit: number) => after.values({ after: id, limit }) as Values[],
    rows: (ids: readonly string[]) => rows.values({ ids: JSON.stringify(ids) }) as Values[],
    labels: (): ReadonlyMap<string, Label> => new Map(labels.all().map((one) => [one.id, one] as const)),
    takeChanges(limit: number) {
      const found = changes.all({ limit });
      if (found.length > 0) forget.run({ limit });
      const ids = found.filter(({ kind }) => kind === "device").map(({ id }) => id);
      return { ids, hasLabels: ids.length < found.length, areAll: found.length < limit };
    },
  };
}
