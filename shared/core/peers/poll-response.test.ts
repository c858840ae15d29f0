import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import type { MemberEvent } from "../events.ts";
import type { Member } from "../member.ts";
import { step } from "../step.ts";
import { memberForTest } from "../testing-member.ts";
import type { Holder } from "./holders.ts";
import { peersNamedMax, pollResponse } from "./poll-response.ts";

const chunkCount = 8;
const idOf = (number: number): string => number.toString(16).padStart(16, "0");
const peer = (number: number): Holder => ({
  device: idOf(number),
  address: `10.0.0.${number}`,
  lanPort: 7_000 + number,
});

const newMember = (): Member => memberForTest({ held: new ChunkSet(chunkCount) }, { useMulticast: false });
/** Lets a device take part; it is missing every chunk. */
const joins = (member: Member, { device, address, lanPort }: Holder): void => {
  const missing = ChunkSet.full(chunkCount);
  member.roster.update({ device, address, lanPort, missing, receivedAtMs: 0, delivery: "multicast" });
};
const holdsAll = (member: Member, holder: Holder): void =>
  member.holders.update(holder, ChunkSet.full(chunkCount), 0);

describe("a poll response names", () => {
  test("holders and participants, but neither the asking device nor this one", () => {
    const member = newMember();
    holdsAll(member, peer(1));
    holdsAll(member, peer(2));
    joins(member, peer(3));
    joins(member, { ...peer(4), device: member.config.device });
    expect(pollResponse(member, idOf(2)).peers).toEqual([peer(1), peer(3)]);
  });

  test("a device once, with the address of the roster, when it holds chunks and takes part", () => {
    const member = newMember();
    holdsAll(member, peer(1));
    const moved = { ...peer(1), address: "10.0.0.77" };
    joins(member, moved);
    expect(pollResponse(member, idOf(2)).peers).toEqual([moved]);
  });

  test("at most 16 devices, those received last", () => {
    const member = newMember();
    for (let i = 1; i <= 20; i++) joins(member, peer(i));
    const { peers } = pollResponse(member, idOf(99));
    expect(peersNamedMax).toBe(16);
    expect(peers).toEqual(Array.from({ length: 16 }, (_, i) => peer(i + 5)));
  });
});

test("a poll response states the term in which the device leads, and 0 before and after", () => {
  const member = newMember();
  const leads = (event: MemberEvent, nowMs: number): number => {
    step(member, event, nowMs);
    return pollResponse(member, idOf(1)).leads;
  };
  expect(leads({ type: "Started" }, 0)).toBe(0);
  expect(leads({ type: "TimerFired" }, 1_000)).toBe(0);
  expect(leads({ type: "LeaseAnswered", answer: { result: "granted", term: 5, before: null } }, 1_001)).toBe(
    5,
  );
  expect(leads({ type: "Stopped", reason: "the agent stops" }, 1_002)).toBe(0);
});
