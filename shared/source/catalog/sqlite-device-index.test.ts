/**
 * The index of devices against the rows of SQLite: after any changes, a scan returns what the rows
 * have, targets match the same devices, and an unchanged catalog costs no read of a device.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import fc from "fast-check";
import { matcherOf, parseTarget, type TargetView } from "../../model/target/index.ts";
import type { ScannedDevice } from "./device-list.ts";
import { migrate } from "./migrations.ts";
import { DeviceIndex } from "./sqlite-device-index.ts";
import { selectDevices, toDevice, type DeviceRow } from "./sqlite-device-row.ts";

let database: Database;
let index: DeviceIndex;
beforeEach(() => {
  database = new Database(":memory:", { strict: true });
  migrate(database);
  database.run(
    "INSERT INTO sites (folded, name, created_at_ms) VALUES ('kiel', 'Kiel', 0), ('ulm', 'Ulm', 0)",
  );
  index = new DeviceIndex(database);
});
afterEach(() => database.close());

const insert = (id: string): void => {
  database
    .query(
      `INSERT INTO devices (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms)
       VALUES ($id, $id, 'pc', 'linux', 'x64', '1.0', 1, 1)`,
    )
    .run({ id });
};

type Change =
  | { readonly kind: "insert" | "delete" | "remove" | "return" | "suspend" | "approve"; readonly id: string }
  | { readonly kind: "set"; readonly id: string; readonly column: string; readonly value: string | null }
  | { readonly kind: "label"; readonly subnet: string; readonly name: string; readonly site: number }
  | { readonly kind: "forget-site"; readonly site: number };

const ids = ["a", "b", "c", "d", "e"];
const id = fc.constantFrom(...ids);
const set = (column: string, ...values: (string | null)[]): fc.Arbitrary<Change> =>
  fc.record({
    kind: fc.constant("set" as const),
    id,
    column: fc.constant(column),
    value: fc.constantFrom(...values),
  });
const facts = [
  "{}",
  '{"deviceClass":"laptop","onBattery":true}',
  '{"memoryBytes":8000000000,"medium":"wired"}',
];
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      "insert" as const,
      "insert" as const,
      "delete" as const,
      "remove" as const,
      "return" as const,
      "suspend" as const,
      "approve" as const,
    ),
    id,
  }),
  set("hostname", "pc-1", "PC-2", "Bühne"),
  set("display_name", null, "Reception"),
  set("os", "linux", "Windows_NT 10.0.22000"),
  set("agent_version", "0.9", "1.0"),
  set("subnet_id", null, "s1", "s2"),
  set("facts_json", ...facts),
  set("tags_json", "[]", '["B7"]', '["b7","Größe"]'),
  set("groups_json", "[]", '["wish"]'),
  fc.record({
    kind: fc.constant("label" as const),
    subnet: fc.constantFrom("s1", "s2"),
    name: fc.constantFrom("floor-1", "floor-2"),
    site: fc.constantFrom(1, 2),
  }),
  fc.record({ kind: fc.constant("forget-site" as const), site: fc.constantFrom(1, 2) }),
);

const run = (sql: string, values: Record<string, string | number | null>): unknown =>
  database.query(sql).run(values);

function apply(change: Change): void {
  switch (change.kind) {
    case "insert":
      if (database.query("SELECT 1 FROM devices WHERE id = $id").get({ id: change.id }) === null)
        insert(change.id);
      return;
    case "delete":
      run("DELETE FROM devices WHERE id = $id", { id: change.id });
      return;
    case "remove":
      run("UPDATE devices SET removed_at_ms = 9 WHERE id = $id", { id: change.id });
      return;
    case "return":
      run("UPDATE devices SET removed_at_ms = NULL WHERE id = $id", { id: change.id });
      return;
    case "suspend":
      run("UPDATE devices SET suspended_at_ms = 5, awaits_approval = 1 WHERE id = $id", { id: change.id });
      return;
    case "approve":
      run("UPDATE devices SET suspended_at_ms = NULL, awaits_approval = 0 WHERE id = $id", { id: change.id });
      return;
    case "set":
      run(`UPDATE devices SET ${change.column} = $value WHERE id = $id`, {
        id: change.id,
        value: change.value,
      });
      return;
    case "label":
      run("INSERT OR REPLACE INTO subnet_labels (subnet_id, name, site_id) VALUES ($subnet, $name, $site)", {
        subnet: change.subnet,
        name: change.name,
        site: change.site,
      });
      return;
    case "forget-site":
      run("UPDATE subnet_labels SET site_id = NULL WHERE site_id = $site", { site: change.site });
  }
}

const inStep = (): readonly ScannedDevice[] => {
  while (!index.readPart());
  return index.after(null, 100);
};
const rowsNow = (): ScannedDevice[] =>
  database
    .query<DeviceRow, []>(`${selectDevices} WHERE removed_at_ms IS NULL ORDER BY devices.id`)
    .all()
    .map(toDevice)
    .map(({ life, ...device }) =>
      Object.assign(device, {
        isSuspended: life.state === "suspended" || life.state === "waiting",
        isWaiting: life.state === "waiting",
      }),
    );

const fieldsOf = (one: ScannedDevice) => ({
  id: one.id,
  hostname: one.hostname,
  name: one.name,
  os: one.os,
  arch: one.arch,
  agentVersion: one.agentVersion,
  enrolledAtMs: one.enrolledAtMs,
  subnet: one.subnet,
  subnetName: one.subnetName,
  site: one.site,
  facts: one.facts,
  tags: one.tags,
  wishes: one.wishes,
  isSuspended: one.isSuspended,
  isWaiting: one.isWaiting,
});

const targets = [
  "site=k* and not tag=b7 and os-version>=10.0.22000 and memory>=4GB",
  "tag=größe or name=pc-?",
  "not site=ulm",
  "site=none or subnet=floor-*",
  "class!=laptop and agent<1.0",
  "battery=yes or medium=wired",
].map((text) => matcherOf(parseTarget(text)));
const viewOf = (one: ScannedDevice): TargetView => ({
  ...fieldsOf(one),
  ...one.facts,
  names: one.name === null ? [one.hostname] : [one.hostname, one.name],
  tags: one.isSuspended ? [] : one.tags,
  subnet: one.subnet && { id: one.subnet.id, cidr: one.subnet.cidr, name: one.subnetName },
  resultIn: () => null,
  versionsOf: () => [],
});

test("the index is what the rows are, and targets match the same devices, after any changes", () => {
  fc.assert(
    fc.property(fc.array(fc.array(changes, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
      for (const batch of batches) {
        for (const change of batch) apply(change);
        const [indexed, rows] = [inStep(), rowsNow()];
        expect(indexed.map(fieldsOf)).toEqual(rows.map(fieldsOf));
        for (const matches of targets)
          expect(indexed.map((one) => matches(viewOf(one)))).toEqual(rows.map((one) => matches(viewOf(one))));
      }
    }),
    { numRuns: 150 },
  );
});

test("a change that is rolled back leaves the index as it was", () => {
  insert("a");
  expect(inStep().map((one) => one.hostname)).toEqual(["pc"]);
  const change = database.transaction(() => {
    database.run("UPDATE devices SET hostname = 'other' WHERE id = 'a'");
    throw new Error("no");
  });
  expect(change).toThrow("no");
  expect(inStep().map((one) => one.hostname)).toEqual(["pc"]);
});

test("a contact, and a check-in that changes nothing, leave nothing to read", () => {
  for (const one of ids) insert(one);
  inStep();
  database.run("UPDATE devices SET last_seen_at_ms = 77, hostname = hostname, tags_json = tags_json");
  expect(database.query<{ n: number }, []>("SELECT count(*) AS n FROM index_changes").get()!.n).toBe(0);
  database.run("UPDATE devices SET hostname = 'pc-9' WHERE id = 'c'");
  expect(database.query<{ id: string }, []>("SELECT id FROM index_changes").all()).toEqual([{ id: "c" }]);
});

test("the index reads devices in parts, and has those that enrol meanwhile once", () => {
  for (let number = 0; number < 2_500; number++) insert(`m${String(number).padStart(5, "0")}`);
  expect(index.readPart()).toBe(false);
  expect(index.size).toBe(1_000);
  insert("a-first");
  insert("z-last");
  while (!index.readPart());
  const found = index.after(null, 9_999).map((one) => one.id);
  expect(found.length).toBe(2_502);
  expect([found[0], found.at(-1), new Set(found).size]).toEqual(["a-first", "z-last", 2_502]);
  expect(index.after("m00001", 2).map((one) => one.id)).toEqual(["m00002", "m00003"]);
});
