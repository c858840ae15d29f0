/** A cancelled task stops its representative at once, whatever the representative does. */
import { expect, test } from "bun:test";
import type { Member } from "../core/member.ts";
import { World } from "./world.ts";

type Leading = Extract<Member["state"], { role: "representative" }>;
type Case = {
  readonly options?: ConstructorParameters<typeof World>[0];
  /** Whether the world has reached the state in which the task is cancelled. */
  readonly isReached: (world: World, state: Leading | null) => boolean;
};

const slow = { wanRateBps: 50_000, lanRateBps: 64_000, chunks: 24 };

const cases: Record<string, Case> = {
  "downloads before its multicast begins": {
    options: { ...slow, startDelayMs: 60_000 },
    isReached: (world) => world.device("A").process!.heldCount > 3,
  },
  "is paused by the schedule": {
    options: { startDelayMs: 5_000, pausesDownloads: true },
    isReached: (world, state) => state !== null && world.nowMs > 20_000,
  },
  "waits for its start delay with the whole package": {
    options: { startDelayMs: 60_000 },
    isReached: (world) => world.device("A").process!.held.isFull,
  },
  "downloads and multicasts": {
    options: { ...slow, startDelayMs: 0 },
    isReached: (_, state) => (state?.stream.queue.sentCount ?? 0) > 3,
  },
  "multicasts what it holds": {
    options: { ...slow, wanRateBps: 1e7, startDelayMs: 3_000 },
    isReached: (_, state) => (state?.stream.queue.sentCount ?? 0) > 3,
  },
  "serves repairs after its multicast": {
    options: { startDelayMs: 1_000 },
    isReached: (_, state) => state?.phase.kind === "serving",
  },
  "has completed the task and still serves": {
    options: { ...slow, wanRateBps: 1e7, startDelayMs: 10_000, runsCommand: false },
    isReached: (world) => world.device("A").process!.isEnded,
  },
};

/** A world whose device A leads, with the symbols that A has sent up to now. */
function worldOf({ options = {} }: Case) {
  const world = new World({ seed: 5, devices: 3, ...options });
  const a = world.device("A");
  a.profile = { ...a.profile, weight: 100, volunteer: true };
  let symbols = 0;
  const { multicast } = world.network;
  world.network.multicast = (from, datagrams, isRun) => {
    if (from === a && isRun) symbols += datagrams.length;
    multicast.call(world.network, from, datagrams, isRun);
  };
  const stateOfA = (): Leading | null => {
    const state = a.process?.session?.member.state;
    return state?.role === "representative" ? state : null;
  };
  const sent = () => ({ symbols, wanBytes: a.process!.device.tasks.get(1)!.progress().wanBytesFetched });
  return { world, stateOfA, sent, a };
}

/** Expects that A stops within 100 ms, and that no other device begins instead. */
function expectStopped({ world, sent, a }: ReturnType<typeof worldOf>): void {
  world.cancel();
  world.run(100);
  const before = sent();
  expect(a.process!.session).toBeNull();
  world.run(60_000);
  expect(sent()).toEqual(before);
  expect(world.representatives()).toEqual([]);
  expect(world.source.holderOn(1)).toBeNull();
}

test.each(Object.entries(cases))("a representative that %s stops when the task is cancelled", (_, each) => {
  const rig = worldOf(each);
  rig.world.start();
  expect(rig.world.run(120_000, () => each.isReached(rig.world, rig.stateOfA()))).toBe(true);
  expect(rig.stateOfA()).not.toBeNull();
  expectStopped(rig);
});

test("a representative whose own command runs stops when the task is cancelled", () => {
  const rig = worldOf({ options: { ...slow, wanRateBps: 1e7, startDelayMs: 3_000 }, isReached: () => true });
  let isRunning = false;
  rig.world.onCommand("A", () => (isRunning = true));
  rig.world.start();
  expect(rig.world.run(60_000, () => isRunning)).toBe(true);
  expect(rig.stateOfA()).not.toBeNull();
  expectStopped(rig);
});

test("a representative whose task ends while it asks the source asks again, and then stops", () => {
  const rig = worldOf(cases["has completed the task and still serves"]!);
  rig.world.start();
  expect(rig.world.run(60_000, () => rig.a.process!.isEnded)).toBe(true);
  const { device } = rig.a.process!;
  // The request was sent before the end, so it does not name the task, and neither does the answer.
  expect(device.accept([], [])).toBe(true);
  expect(rig.stateOfA()).not.toBeNull();
  expect(device.accept([], device.serving)).toBe(false);
  expect(rig.stateOfA()).toBeNull();
});
