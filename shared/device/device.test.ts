/** Tasks of a device over a simulated cache. None of them gets beyond its look into the cache. */
import { expect, test } from "bun:test";
import { DistributionCache } from "../cache/index.ts";
import { packageRow } from "../cache/reconcile.ts";
import { unknownConditions } from "../model/conditions.ts";
import { testKey, testPackage } from "../model/testing.ts";
import { simulatedCache } from "../simulation/testing.ts";
import { Device } from "./device.ts";
import type { CommandEnd, DevicePorts } from "./ports.ts";
import { begunTaskRow, newTaskRow, type TaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";

const key = testKey();

/** A device whose ledger has these rows. `errors` collects what it logs about single tasks. */
function deviceWith(rows: readonly TaskRow[], adopt: () => Promise<CommandEnd | null> = async () => null) {
  const { files, ledger, clock, log } = simulatedCache();
  for (const row of rows) ledger.saveTask(row.task.id, row);
  const cache = new DistributionCache(
    { dir: "/data", maxBytes: null, maxAgeMs: null, clock, log },
    { files, ledger, unlock() {} },
  );
  const begun: string[] = [];
  cache.find = (id) => {
    begun.push(id);
    return new Promise(() => {});
  };
  const errors: number[] = [];
  const ports = {
    conditions: () => unknownConditions,
    device: "aa".repeat(8),
    clock,
    random: () => 0,
    cache,
    lan: { join: () => "session", leave() {} },
    peers: { offer() {}, withdraw() {} },
    upgrades: { isTrial: false },
    place: { address: "127.0.0.1", subnetId: null, answered: null },
    log: { info() {}, warn() {}, error: (fields: { taskId: number }) => errors.push(fields.taskId) },
    metrics: { taskEnded() {} },
    commands: { hasTrace: () => false, bootId: async () => "boot", adopt },
    disks: { onlyTask: null },
  } as unknown as DevicePorts;
  const device = new Device({ ports, onChange() {} });
  return { device, ledger, begun, errors };
}

const packageOf = (taskId: number): string => taskId.toString(16).padStart(64, "0");
const taskOf = (id: number, packageId = packageOf(id)) => ({ ...taskForTest(), id, packageId });
const ended = (id: number, packageId?: string): TaskRow => ({
  ...newTaskRow(taskOf(id, packageId)),
  life: "complete",
  reported: true,
});

test("forgets the oldest ended tasks that the source no longer lists", async () => {
  const rows = Array.from({ length: 300 }, (_, index) => ended(index + 1));
  rows[9]!.reported = false;
  const { device, ledger } = deviceWith(rows);
  await device.resume();
  device.accept([taskOf(20)], []);
  const kept = ledger.tasks().map(({ taskId }) => taskId);
  // 298 may go, of which 256 stay.
  expect(kept.toSorted((a, b) => a - b).slice(0, 3)).toEqual([10, 20, 45]);
  expect(kept.length).toBe(258);
  expect([...device.tasks.keys()].toSorted((a, b) => a - b)).toEqual(kept.toSorted((a, b) => a - b));
});

test("keeps an ended task whose order is valid: the source could have it run again", async () => {
  const rows = Array.from({ length: 300 }, (_, index) => ended(index + 1));
  for (const [at, expiresAtMs] of [
    [3, 253_402_300_799_999],
    [4, 0],
  ] as const)
    Object.assign(rows[at]!, { runs: 1, task: { ...rows[at]!.task, action: "run", expiresAtMs } });
  const { device, ledger } = deviceWith(rows);
  await device.resume();
  device.accept([], []);
  const kept = ledger.tasks().map(({ taskId }) => taskId);
  expect(kept.toSorted((a, b) => a - b).slice(0, 2)).toEqual([4, 45]);
});

test("keeps the newest 4096 of many ended tasks whose orders are valid", async () => {
  const rows = Array.from({ length: 4_100 }, (_, index) => {
    const row = ended(index + 1);
    return { ...row, runs: 1, task: { ...row.task, expiresAtMs: 253_402_300_799_999 } };
  });
  const { device } = deviceWith(rows);
  await device.resume();
  device.accept([], []);
  expect([Math.min(...device.tasks.keys()), device.tasks.size]).toEqual([5, 4_096]);
});

test("keeps the newest task of each package in the cache, whose key others need", async () => {
  const tool = testPackage(key, { files: { a: 2_000 } });
  const rows = Array.from({ length: 300 }, (_, index) => ended(index + 1, index < 10 ? tool.id : undefined));
  const { device, ledger } = deviceWith(rows);
  ledger.addPackage(packageRow(tool.id, tool.manifest));
  ledger.setState(tool.id, "complete");
  await device.resume();
  device.accept([], []);
  const oldest = ledger.tasks().map(({ taskId }) => taskId);
  expect(oldest.toSorted((a, b) => a - b).slice(0, 2)).toEqual([10, 45]);
});

test("resumes and begins every other task when the ledger fails for one", async () => {
  const { device, ledger, begun, errors } = deviceWith([1, 2, 3].map((id) => newTaskRow(taskOf(id))));
  const read = ledger.package;
  ledger.package = (id) => {
    if (id === packageOf(2)) throw new Error("disk I/O error");
    return read.call(ledger, id);
  };
  await device.resume();
  expect(begun).toEqual([1, 2, 3].map(packageOf));
  expect(errors).toEqual([2]);
});

test("leaves a task alone that the source lists and the device cannot read", async () => {
  const { device } = deviceWith([newTaskRow(taskOf(1)), newTaskRow(taskOf(2))]);
  await device.resume();
  device.accept([], [], { unreadable: [1] });
  expect([...device.tasks.values()].map(({ row }) => row.life)).toEqual(["open", "cancelled"]);
});

test("a task of another epoch with a known id begins, whatever became of the known one", async () => {
  const old = { ...taskOf(1), epoch: "aa".repeat(8) };
  const given = { ...old, epoch: "bb".repeat(8) };
  for (const life of ["open", "complete", "failed"] as const) {
    const { device, begun } = deviceWith([{ ...newTaskRow(old), life, reported: true }]);
    await device.resume();
    begun.splice(0);
    device.accept([given], []);
    const { row } = device.tasks.get(1)!;
    expect([life, begun.length, row.life, row.task.epoch]).toEqual([life, 1, "open", given.epoch]);
  }
});

test("a task of another epoch waits until the command of the known one with its id has ended", async () => {
  const old = { ...taskOf(1), action: "run" as const, command: "./install", epoch: "aa".repeat(8) };
  const given = { ...old, epoch: "bb".repeat(8) };
  const end = Promise.withResolvers<CommandEnd>();
  const { device, begun } = deviceWith([begunTaskRow(old)], () => end.promise);
  await device.resume();
  for (let checkIns = 0; checkIns < 2; checkIns++) device.accept([given], []);
  expect([device.tasks.get(1)!.row.task.epoch, begun]).toEqual([old.epoch, []]);
  end.resolve({ exitCode: 0, timedOut: false, outputTail: "" });
  await Bun.sleep(1);
  expect([device.tasks.get(1)!.row.task.epoch, begun.length]).toEqual([given.epoch, 1]);
});

test("a task with the epoch and the id of a known one is the same task", async () => {
  const old = { ...taskOf(1), epoch: "aa".repeat(8) };
  const { device, begun } = deviceWith([{ ...newTaskRow(old), life: "complete" }]);
  await device.resume();
  begun.splice(0);
  device.accept([old], []);
  expect([begun, device.tasks.get(1)!.row.life]).toEqual([[], "complete"]);
});
