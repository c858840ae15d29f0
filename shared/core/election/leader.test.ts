import { expect, test } from "bun:test";
import type { FrameOf } from "../../wire/frames.ts";
import { claimantOf, holderAsLeader, leaderOf } from "./leader.ts";

const from = { address: "10.0.0.2", sender: "0102030405060708" };
const device = "00000000000000bb";

const announce: FrameOf<"announce"> = {
  type: "announce",
  device,
  term: 3,
  ticket: 77,
  phase: 1,
  startsInMs: 1_500,
  frontCount: 12,
  castCount: 9,
  pass: 4,
  audience: 5,
  symbolSizeBytes: 1_400,
  rateBps: 20_000_000,
  lanPort: 7_000,
};
const claim: FrameOf<"claim"> = { type: "claim", device, term: 3, ticket: 77, lanPort: 7_000, haveCount: 9 };
const nothing = {
  phase: 0,
  startsAtMs: 0,
  castCount: 0,
  frontCount: 0,
  pass: 0,
  audience: 0,
  rateBps: 0,
  symbolSizeBytes: 0,
};

test("an announcement gives the leader, with the start of its multicast on this device's clock", () => {
  const { term, ticket, phase, castCount, frontCount, pass, audience, rateBps, lanPort } = announce;
  expect(leaderOf(announce, from, 10_000)).toEqual({
    device,
    term,
    ticket,
    lanPort,
    address: from.address,
    sender: from.sender,
    known: "announce",
    announced: {
      phase,
      startsAtMs: 11_500,
      castCount,
      frontCount,
      pass,
      audience,
      rateBps,
      symbolSizeBytes: 1_400,
    },
  });
});

test("a claim gives a leader that announced nothing yet", () => {
  const { address, sender } = from;
  expect(claimantOf(claim, from)).toEqual({
    device,
    term: 3,
    ticket: 77,
    lanPort: 7_000,
    address,
    sender,
    known: "claim",
    announced: nothing,
  });
});

test("a refused lease gives a leader without a known sender, whose multicast may have begun", () => {
  const holder = { deviceId: device, address: "10.0.0.2", lanPort: 7_000, term: 3 };
  expect(holderAsLeader(holder, 10_000)).toEqual({
    device,
    term: 3,
    ticket: 0,
    lanPort: 7_000,
    address: "10.0.0.2",
    sender: null,
    known: "lease",
    announced: { ...nothing, startsAtMs: 10_000 },
  });
});

test("two claimants keep announcements of their own when one of them changes", () => {
  const first = claimantOf(claim, from);
  const second = claimantOf(claim, from);
  first.announced.pass = 9;
  expect(second.announced.pass).toBe(0);
  expect(claimantOf(claim, from).announced.pass).toBe(0);
});
