/**
 * Regressions: each bug that a sweep of seeds found, as the smallest world that shows it. A seed
 * alone would not do, because every new kind of fault changes the worlds that seeds draw.
 */
import { expect, test } from "bun:test";
import { reasonText } from "../model/reason.ts";
import { parseTaskRow } from "../device/task-record.ts";
import { World } from "./world.ts";

/** Expects every device complete and every session over. A violation of a checker throws. */
function expectRest(world: World, withinMs: number): void {
  if (!world.run(withinMs, () => world.isAtRest)) console.log(world.log.join("\n"));
  expect(world.isAtRest).toBe(true);
}

test("grants the lease to another device when the source's clock is set back while the holder is gone", () => {
  const world = new World({ seed: 33, devices: 3 });
  world.start("A");
  world.run(2_000, () => world.representatives().length === 1);
  world.leave("A");
  world.setSourceClock(-3_600_000);
  world.start("B", "C");
  expect(world.run(60_000, () => world.device("B").process!.isEnded)).toBe(true);
});

test("ends the session of a complete representative that loses the lease", () => {
  const world = new World({ seed: 120, devices: 2, startDelayMs: 20_000 });
  world.start("A");
  expect(world.run(20_000, () => world.device("A").process!.isEnded)).toBe(true);
  // B does not receive A, and requests the lease after the source has received no renewal either.
  world.partition(1, "A");
  world.setLine(1, "cut");
  world.run(16_000);
  world.start("B");
  world.setLine(1, "up");
  world.run(10_000, () => world.device("B").process?.session?.member.role === "representative");
  world.repairNetwork();
  expectRest(world, 60_000);
});

test("a device of weight 0 fetches the package from holders when no device leads", () => {
  const world = new World({ seed: 31, devices: 3 });
  world.device("C").profile = { ...world.device("C").profile, weight: 0 };
  world.start("A", "B");
  expectRest(world, 60_000);
  world.start("C");
  expectRest(world, 20_000);
  expect(world.checks.wan.accounts[1]!.chunks).toBe(world.chunkCount);
});

test("each device downloads by WAN fallback when no device may lead", () => {
  const world = new World({ seed: 501, devices: 2 });
  for (const name of ["A", "B"]) world.device(name).profile = { ...world.device(name).profile, weight: 0 };
  world.start();
  expectRest(world, 180_000);
});

test.each([true, false])(
  "multicast %p: another device takes over from a representative that serves only wrong bytes",
  (useMulticast) => {
    const world = new World({ seed: 170, devices: 3, useMulticast, wanFallback: "never" });
    world.turnBad("A");
    world.start("A");
    world.run(20_000, () => world.device("A").process!.isEnded);
    world.prune("B", "symbols");
    world.prune("C", "symbols");
    world.start("B", "C");
    expectRest(world, 180_000);
  },
);

test("a peer without multicast asks the source whether its representative still leads", () => {
  const world = new World({ seed: 1639, devices: 2, useMulticast: false, wanFallback: "never" });
  world.start("A");
  world.run(20_000, () => world.device("A").process!.isEnded);
  world.start("B");
  world.run(1_000, () => world.device("B").process!.session?.member.role === "peer");
  world.turnBad("A");
  expectRest(world, 180_000);
});

test("fetches a chunk found corrupt again when the last chunk arrives while the task waits to retry", () => {
  const world = new World({ seed: 8_166, devices: 2, useMulticast: false });
  world.start("A");
  expect(world.run(20_000, () => world.device("A").process!.isEnded)).toBe(true);
  world.start("B");
  const process = world.device("B").process!;
  expect(world.run(20_000, () => process.heldCount === world.chunkCount - 1)).toBe(true);
  world.flipBit("B", 0);
  expect(world.run(120_000, () => world.allComplete)).toBe(true);
});

test.each([5, 9])(
  "seed %d: peers follow a restarted representative that multicasts at once, within announcements",
  (seed) => {
    const world = new World({
      seed,
      devices: 4,
      chunks: 120,
      startDelayMs: 0,
      lanRateBps: 40_000,
      wanRateBps: 45_000,
    });
    world.conditions(1, { loss: 0.05 });
    world.start();
    world.run(8_000);
    const { name, id } = world.representatives()[0]!;
    world.crash(name);
    world.run(100);
    world.start(name);
    expect(world.run(3_000, () => world.representatives()[0]?.name === name)).toBe(true);
    // Symbols of the new process must not count as activity of the crashed one.
    world.run(4_000);
    const { state } = world.device(name).process!.session!.member;
    const ticket = state.role === "representative" ? state.ticket : null;
    for (const machine of world.machines) {
      if (machine.name === name) continue;
      const peer = machine.process!.session!.member.state;
      expect(peer.role === "peer" && peer.leader).toMatchObject({ device: id, ticket });
    }
    expectRest(world, 60_000);
  },
);

test("ends the session when multicast is switched off during a chunk, and on after all are complete", () => {
  const world = new World({ seed: 1_019_239, devices: 4, lanRateBps: 20_000 });
  world.start();
  const isSending = (): boolean => {
    const state = world.representatives()[0]?.process!.session!.member.state;
    return state?.role === "representative" && state.stream.queue.sentCount === world.chunkCount;
  };
  expect(world.run(60_000, isSending)).toBe(true);
  world.changeSetting({ useMulticast: false });
  world.run(800);
  expect(world.allHold).toBe(true);
  world.changeSetting({ useMulticast: true });
  expectRest(world, 60_000);
});

test("does not list a chunk written during a sync when the disk is slow", () => {
  const world = new World({ seed: 188, devices: 2 });
  world.slowDisk("B", 600);
  world.start();
  expectRest(world, 60_000);
});

test("completes the package again after the disk was full between its rename and its completion", () => {
  const world = new World({ seed: 5_978, devices: 1 });
  world.start();
  expect(world.run(20_000, () => world.allHold)).toBe(true);
  world.run(20);
  world.fillDisk("A", true);
  world.run(10_000);
  world.fillDisk("A", false);
  expectRest(world, 60_000);
});

test("a poll does not state chunks that the device found corrupt", () => {
  const world = new World({ seed: 1, devices: 3, useMulticast: false, wanRateBps: 5_000 });
  world.start("A", "B");
  const [a, b] = [world.device("A").process!, world.device("B").process!];
  expect(world.run(40_000, () => a.heldCount >= 5 && b.heldCount >= 5)).toBe(true);
  for (const chunk of b.held) world.flipBit("B", chunk);
  world.start("C");
  expectRest(world, 120_000);
});

test("a complete representative begins no further chunk when multicast is switched off", () => {
  const rates = { lanRateBps: 64_000, wanRateBps: 1_000_000 };
  const world = new World({ seed: 13_328, devices: 4, chunks: 160, startDelayMs: 0, ...rates });
  world.start();
  expect(world.run(20_000, () => world.representatives()[0]?.process!.isEnded === true)).toBe(true);
  const [leader] = world.representatives();
  expect(world.allHold).toBe(false);
  world.changeSetting({ useMulticast: false });
  const { representative } = leader!.process!.session!;
  // The representative may finish the chunk in progress.
  world.run(150);
  const { sentBytes } = representative;
  expect(world.run(60_000, () => world.isAtRest)).toBe(true);
  expect(representative.sentBytes).toBe(sentBytes);
});

test("a task that a device cannot take hinders no other task of the same answer", () => {
  const world = new World({ seed: 1, devices: 1 });
  world.start("A");
  world.run(1_000, () => world.device("A").process!.device.tasks.size > 0);
  const { device } = world.device("A").process!;
  const given = device.tasks.values().next().value!.row.task;
  device.accept([given, { ...given, id: 8, startAtMs: 1n as never }, { ...given, id: 9 }], []);
  expect(device.tasks.get(9)?.stage).toMatchObject({ kind: "waiting" });
  // Worlds take every logged error for a violation: this one names the task.
  expect(() => world.run(60_000)).toThrow('"taskId":8,"error":"TypeError: Invalid mix of BigInt');
});

test("a task fails and names the file when another program changes it each time it is stored", () => {
  const world = new World({ seed: 3, devices: 2, startDelayMs: 1_000 });
  world.start("A");
  const scan = (): void => {
    const { process } = world.device("A");
    if (process?.isEnded !== false) return;
    world.changeFile("A", "empties");
    world.at(world.clock.nowMs + 20, scan);
  };
  world.at(20, scan);
  expect(world.run(120_000, () => world.device("A").process!.isEnded)).toBe(true);
  const taskOf = (name: string) => world.device(name).process!.device.tasks.values().next().value!;
  const { row, store } = taskOf("A");
  const { life, reason, wanBytesFetched } = row;
  expect([life, reason && reasonText(reason)]).toEqual([
    "failed",
    expect.stringMatching(/"[^"]+".* 3 times: a virus scanner/),
  ]);
  expect(wanBytesFetched).toBeLessThanOrEqual(3 * store!.manifest.sizeBytes);
  // The lease was given back with the failure: another device leads and completes.
  world.start("B");
  expect(world.run(120_000, () => world.device("B").process!.isEnded)).toBe(true);
  expect(taskOf("B").row.life).toBe("complete");
});

test("a check-in saves its tasks in one transaction, and nothing if none has changed", () => {
  const world = new World({ seed: 1, devices: 1 });
  world.start("A");
  world.run(1_000, () => world.device("A").process!.device.tasks.size > 0);
  const machine = world.device("A");
  const { device } = machine.process!;
  const given = device.tasks.values().next().value!.row.task;
  const far = Array.from({ length: 1_000 }, (_, index) => ({
    ...given,
    id: 100 + index,
    startAtMs: 253_402_300_799_999,
  }));
  const saved: number[] = [];
  const { ledger } = machine;
  const saveTasks = ledger.saveTasks.bind(ledger);
  ledger.saveTasks = (tasks) => {
    saved.push(tasks.length);
    saveTasks(tasks);
  };
  device.accept([given, ...far], []);
  expect(saved).toEqual([1_000]);
  device.accept(structuredClone([given, ...far]), []);
  expect(saved).toEqual([1_000]);
  const setting = { ...given.setting, version: 2 };
  device.accept([given, ...far.with(7, { ...far[7]!, setting })], []);
  expect(saved).toEqual([1_000, 1]);
  expect(parseTaskRow(ledger.tasks().find(({ taskId }) => taskId === 107)!.state)?.task.setting.version).toBe(
    2,
  );
});

test("the manifest crosses the WAN once per subnet, also when the source fails after the first answers", () => {
  for (const failsAtMs of [Infinity, 700]) {
    const world = new World({ seed: 3, devices: 16, subnets: 2, sharesManifest: true });
    const granted: string[] = [];
    const ask = world.source.manifest.bind(world.source);
    world.source.manifest = (device, request) => {
      const answer = ask(device, request);
      if (answer.result === "granted") granted.push(request.subnetId!);
      return answer;
    };
    world.start();
    if (Number.isFinite(failsAtMs)) world.at(failsAtMs, () => world.setSource("down"));
    world.run(20_000, () =>
      world.machines.every(({ process }) => process!.device.tasks.values().next().value?.store != null),
    );
    if (Number.isFinite(failsAtMs)) world.setSource("up");
    expect(world.run(120_000, () => world.allComplete)).toBe(true);
    expect(granted.toSorted()).toEqual(["1", "2"]);
  }
});

/**
 * Returns the time of the first symbol, in milliseconds.
 * @param isCut whether device F is cut off from the others, but not from the source
 */
const startOf = (isCut: boolean): number => {
  const options = { seed: 5, devices: 6, startDelayMs: 60_000, startsWhenPresent: true, wanRateBps: 1e6 };
  const world = new World(options);
  const alone = world.device("F");
  alone.profile = { ...alone.profile, weight: 0 };
  if (isCut) world.partition(1, "F");
  world.start();
  expect(world.run(90_000, () => world.network.symbolsSent > 0)).toBe(true);
  return world.nowMs;
};

test("a session starts before its delay when every running device takes part, and waits for a device that does not", () => {
  expect(startOf(false)).toBeLessThan(6_000);
  expect(startOf(true)).toBeGreaterThan(6_000);
});
