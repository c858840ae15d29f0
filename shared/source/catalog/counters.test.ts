/**
 * Counters and the table of tags that triggers keep, compared with a recount after random
 * operations and in a restored copy.
 */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { progressSchema } from "../../api/schema/common.ts";
import * as v from "valibot";
import { inventoryOf, openFixture, reportOf, type Fixture, type TestDevice } from "../app-fixture.ts";
import { openSqliteCatalog, type Catalog } from "./index.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const states = ["pending", "receiving", "failed", "complete", "superseded"] as const;
const deviceCount = 6;
const taskCount = 3;

const operation = fc.oneof(
  fc.record({
    kind: fc.constantFrom("report" as const),
    device: fc.nat(deviceCount - 1),
    task: fc.nat(taskCount - 1),
    state: fc.constantFrom(...states),
  }),
  fc.record({
    kind: fc.constantFrom("move" as const),
    device: fc.nat(deviceCount - 1),
    subnet: fc.option(fc.nat(3)),
  }),
  fc.record({ kind: fc.constantFrom("remove" as const), device: fc.nat(deviceCount - 1) }),
  fc.record({ kind: fc.constantFrom("tag" as const), device: fc.nat(deviceCount - 1), tag: fc.nat(3) }),
  fc.record({ kind: fc.constantFrom("retry" as const, "forget" as const), task: fc.nat(taskCount - 1) }),
  fc.record({ kind: fc.constantFrom("merge" as const, "split" as const), from: fc.nat(3), into: fc.nat(3) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const subnetOf = (index: number) => ({
  id: index.toString(16).padStart(16, "0"),
  cidr: "10.0.0.0/24",
  site: `gateway ${index}`,
});

async function create(count: number): Promise<number[]> {
  const path = join(fixture.folder, "file");
  await writeFile(path, "bytes");
  const { json } = await fixture.signedPackage(path, { name: "editor", version: "1" });
  const { body } = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${body.packageId}/content`, { body: "bytes" });
  const ids: number[] = [];
  for (let index = 0; index < count; index++) {
    const task = { package: "editor", action: "pre-cache", setting: null, target: "all", startAtMs: null };
    const made = await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json: task });
    ids.push(made.body.taskId);
  }
  return ids;
}

async function apply(
  catalog: Catalog,
  one: Operation,
  devices: readonly TestDevice[],
  tasks: readonly number[],
): Promise<void> {
  const atMs = fixture.clock.nowMs++;
  switch (one.kind) {
    case "report": {
      const report = v.parse(progressSchema, reportOf(tasks[one.task]!, one.state));
      await catalog.tasks.recordProgress(devices[one.device]!.id, [report], atMs);
      return;
    }
    case "move": {
      const place =
        one.subnet === null
          ? null
          : {
              ownSubnet: subnetOf(one.subnet),
              group: "",
              remoteAddress: "10.0.0.5",
              address: "10.0.0.5",
              lanPort: 5,
            };
      const inventory = inventoryOf("h");
      await catalog.devices.recordCheckIn(devices[one.device]!.id, {
        inventory,
        packages: [],
        cached: [],
        setting: null,
        place,
        atMs,
      });
      return;
    }
    case "remove":
      await catalog.life.remove([devices[one.device]!.id], "removed", atMs);
      return;
    case "tag":
      await catalog.labels.tag([devices[one.device]!.id], {
        add: [`t${one.tag}`],
        remove: [`T${one.tag + 1}`],
      });
      return;
    case "retry":
      await catalog.tasks.retry(tasks[one.task]!, atMs, null);
      return;
    case "forget":
      await catalog.tasks.change(tasks[one.task]!, () => ({ state: "cancelled", endedAtMs: atMs }));
      await catalog.tasks.removePart(tasks[one.task]!);
      return;
    case "merge":
      if (one.from !== one.into)
        await catalog.subnets.merge(
          {
            deviceId: null,
            from: subnetOf(one.from),
            into: subnetOf(one.into),
            confirmedBy: [devices[0]!.id, devices[1]!.id],
            atMs,
          },
          atMs,
        );
      return;
    case "split":
      await catalog.subnets.split(subnetOf(one.into).id);
  }
}

/** Returns the counters of a file, and what a recount of its rows gives. */
function counted(path: string): { kept: unknown; recounted: unknown } {
  const database = new Database(path, { readonly: true });
  const all = (sql: string): unknown[] => database.query(sql).values();
  const read = {
    kept: [
      all("SELECT task_id, subnet_id, state, devices FROM task_counters ORDER BY 1, 2, 3"),
      all("SELECT subnet_id, devices FROM subnet_counters ORDER BY 1"),
      all("SELECT lower(tag), device_id FROM device_tags ORDER BY 1, 2"),
    ],
    recounted: [
      all(
        `SELECT task_id, coalesce(subnet_id, ''), state, count(*) FROM progress
         JOIN devices ON id = device_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
      ),
      all(
        `SELECT subnet_id, count(*) FROM devices WHERE subnet_id IS NOT NULL AND removed_at_ms IS NULL
         GROUP BY 1 ORDER BY 1`,
      ),
      all(
        "SELECT lower(value), devices.id FROM devices, json_each(tags_json) WHERE removed_at_ms IS NULL ORDER BY 1, 2",
      ),
    ],
  };
  database.close();
  return read;
}

test("counters equal a recount after any order of operations, and in a restored copy", async () => {
  const devices: TestDevice[] = [];
  for (let index = 0; index < deviceCount; index++) devices.push(await fixture.device(`h${index}`));
  const tasks = await create(taskCount);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
      for (const one of operations) await apply(fixture.catalog, one, devices, tasks);
      const path = join(fixture.folder, `copy-${run++}.db`);
      await fixture.catalog.snapshot(path);
      const before = counted(path);
      expect(before.kept).toEqual(before.recounted);
      const restored = await openSqliteCatalog(path);
      await apply(restored, operations[0]!, devices, tasks);
      restored.close();
      const after = counted(path);
      expect(after.kept).toEqual(after.recounted);
    }),
    { numRuns: 20, seed: 20_000 },
  );
}, 120_000);
