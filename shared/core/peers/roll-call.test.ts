import { expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import { timing } from "../timing.ts";
import { RollCall } from "./roll-call.ts";
import { Roster } from "./roster.ts";

const silentMs = timing.askSilentMs + timing.askSilentPerDeviceMs;

function rosterOf(...devices: string[]): Roster {
  const roster = new Roster();
  const missing = ChunkSet.full(8);
  for (const device of devices)
    roster.update({ device, address: device, lanPort: 1, missing, receivedAtMs: 0, delivery: "multicast" });
  return roster;
}

/** Runs until `untilMs` and returns the times at which a device was asked. */
function asks(roster: Roster, untilMs: number, onTime: (nowMs: number) => void = () => {}): number[] {
  const rollCall = new RollCall();
  const asked: number[] = [];
  for (let nowMs = 0; nowMs < untilMs; nowMs += 50) {
    onTime(nowMs);
    for (const _ of rollCall.next(roster, nowMs)) asked.push(nowMs);
  }
  return asked;
}

test("a device that was silent is asked three times, then forgotten", () => {
  const roster = rosterOf("gone");
  const asked = asks(roster, silentMs + 4 * timing.askEveryMs);
  expect(asked).toHaveLength(timing.asksMax);
  expect(asked[0]).toBeWithin(silentMs, silentMs + 301);
  expect(asked[2]! - asked[0]!).toBeWithin(2 * timing.askEveryMs, 2 * timing.askEveryMs + 601);
  expect(roster.get("gone")).toBeUndefined();
  expect(roster.hasListeners).toBe(false);
});

test("a device that sends anything is neither asked nor forgotten", () => {
  const roster = rosterOf("here");
  const reports = (nowMs: number): void => {
    if (nowMs % 4_000 === 0) roster.noteActive("here", nowMs);
  };
  expect(asks(roster, 60_000, reports)).toEqual([]);
  expect(roster.get("here")).toBeDefined();
});

test("a device that answers the second time is asked again only after another silence", () => {
  const roster = rosterOf("slow");
  const answers = (nowMs: number): void => {
    if (nowMs === 6_600) roster.noteActive("slow", nowMs);
  };
  const asked = asks(roster, 6_600 + silentMs, answers);
  expect(asked).toHaveLength(2);
  expect(roster.get("slow")).toBeDefined();
});

test("the sleep of the representative is not silence of the others", () => {
  const roster = rosterOf("here");
  roster.creditStall(60_000);
  expect(asks(roster, 60_000)).toEqual([]);
});

test("of a large audience a few are asked at a time, later", () => {
  const roster = rosterOf(...Array.from({ length: 1_000 }, (_, i) => `${i}`));
  const asked = asks(roster, timing.askSilentMs + 1_000 * timing.askSilentPerDeviceMs + 1_000);
  expect(asked[0]).toBeGreaterThan(50_000);
  expect(asked.length).toBeLessThanOrEqual(16 * 4);
});
