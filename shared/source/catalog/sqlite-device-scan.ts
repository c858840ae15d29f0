/**
 * Scan of all devices in SQLite for the evaluation of targets: only what targets name, and equal
 * texts are parsed once. A scan of 100,000 devices takes a third of reading their whole rows.
 */
import type { Database } from "bun:sqlite";
import type { DeviceFilter, DeviceListStore, ScannedDevice } from "./device-list.ts";
import type { DeviceFacts, DeviceRecord } from "./device-record.ts";
import { conditionsOf, runValues, spellingsOf } from "./sqlite-device-list.ts";

const parsedMax = 10_000;

/** Returns a parser of JSON that parses equal texts once. */
function rememberedParse<T>(): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const parsed = JSON.parse(text) as T;
    if (known.size >= parsedMax) known.clear();
    known.set(text, parsed);
    return parsed;
  };
}

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
];

export function sqliteDeviceScan(database: Database): DeviceListStore["scan"] {
  const labels = database.query<{ id: string; name: string | null; site: string | null }, []>(
    `SELECT subnet_id AS id, subnet_labels.name, sites.name AS site FROM subnet_labels
     LEFT JOIN sites ON sites.id = site_id`,
  );
  const spellings = spellingsOf(database);
  return async (filter: DeviceFilter, after: string | null, limit: number) => {
    const { sql, values } = conditionsOf(filter, spellings(filter.scope));
    const rows = runValues<Values>(
      database,
      `SELECT id, hostname, display_name, os, arch, agent_version, subnet_id, subnet_cidr, subnet_site, facts_json,
         tags_json, groups_json, suspended_at_ms, awaits_approval
       FROM devices WHERE ${[...sql, "id > $after"].join(" AND ")} ORDER BY id LIMIT $limit`,
      { ...values, after: after ?? "", limit },
    );
    const places = new Places(new Map(labels.all().map((label) => [label.id, label] as const)));
    return rows.map((row) => new ScannedRow(row, places));
  };
}

type Label = { readonly id: string; readonly name: string | null; readonly site: string | null };

/** Subnets and labels that the rows of a scan share. */
class Places {
  readonly labels: ReadonlyMap<string, Label>;
  readonly facts = rememberedParse<DeviceFacts>();
  readonly texts = rememberedParse<string[]>();

  constructor(labels: ReadonlyMap<string, Label>) {
    this.labels = labels;
  }
}

/** Row of a scan, which parses only what is read. */
class ScannedRow implements ScannedDevice {
  readonly #row: Values;
  readonly #places: Places;

  constructor(row: Values, places: Places) {
    this.#row = row;
    this.#places = places;
  }

  get id(): string {
    return this.#row[0];
  }
  get hostname(): string {
    return this.#row[1];
  }
  get name(): string | null {
    return this.#row[2];
  }
  get os(): string {
    return this.#row[3];
  }
  get arch(): string {
    return this.#row[4];
  }
  get agentVersion(): string {
    return this.#row[5];
  }
  get subnet(): DeviceRecord["subnet"] {
    const id = this.#row[6];
    return id === null ? null : { id, cidr: this.#row[7] ?? "", site: this.#row[8] ?? "" };
  }
  get subnetName(): string | null {
    return this.#label?.name ?? null;
  }
  get site(): string | null {
    return this.#label?.site ?? null;
  }
  get facts(): DeviceFacts {
    return this.#places.facts(this.#row[9]);
  }
  get tags(): readonly string[] {
    return this.#places.texts(this.#row[10]);
  }
  get wishes(): readonly string[] {
    return this.#places.texts(this.#row[11]);
  }
  get isSuspended(): boolean {
    return this.#row[12] !== null;
  }
  get isWaiting(): boolean {
    return this.#row[12] !== null && this.#row[13] === 1;
  }
  get #label(): Label | undefined {
    const id = this.#row[6];
    return id === null ? undefined : this.#places.labels.get(id);
  }
}
