/**
 * Thousands of devices that one insider invents: a member's memory of them is bounded, and the
 * member keeps working.
 */
import { expect, test } from "bun:test";
import { encodeControl } from "../wire/encode.ts";
import { limits, wholeChunks, type ControlFrame } from "../wire/index.ts";
import { WantResponder } from "./peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { NackSender } from "./repair/nack-sender.ts";
import { Holders, holdersMax } from "./peers/holders.ts";
import type { Member } from "./member.ts";
import { type MemberEvent } from "./events.ts";
import { RateControl } from "./rate/rate-control.ts";
import { rosterDevicesMax } from "./peers/roster.ts";
import { step } from "./step.ts";
import { memberForTest } from "./testing-member.ts";

const inventions = 10_000;
const chunkCount = 8_192;
const device = "00000000000000aa";
const idOf = (i: number): string => (0xe00_0000 + i).toString(16).padStart(16, "0");

const newMember = (): Member => memberForTest({ held: ChunkSet.fromRanges(chunkCount, [0, 4_000])! });

const framesOf = (i: number): ControlFrame[] => [
  {
    type: "seek",
    device: idOf(i),
    haveCount: 0,
    missing: [0, chunkCount],
    lanPort: 1,
    term: limits.counterMax,
    symbolMaxBytes: 16,
  },
  { type: "claim", device: idOf(i), term: limits.counterMax, ticket: i, lanPort: 1, haveCount: 0 },
  {
    type: "need",
    device: idOf(i),
    term: 1,
    pass: 1,
    entries: [i % 4_096, wholeChunks, 4_096],
    lanPort: 1,
    symbolSizeBytes: 1_400,
  },
  { type: "have", device: idOf(i), ranges: [0, chunkCount], load: 0, lanPort: 1 + i, toDevice: device },
  { type: "report", device: idOf(i), term: 1, pass: 1, lossPermille: 1_000, queuedMs: limits.queuedMaxMs },
  { type: "want", device: idOf(i), ranges: [0, chunkCount], lanPort: 1 },
  {
    type: "end",
    device: idOf(i),
    term: limits.counterMax,
    pass: i,
    castRanges: [0, chunkCount],
    symbolsSent: i,
    sentAtMs: i,
  },
  { type: "resign", device: idOf(i), term: limits.counterMax, reason: "invented by an insider" },
];

test.each(["candidate", "representative", "peer"] as const)(
  "a %s remembers few of thousands of invented devices, and its frames stay within their limits",
  (role) => {
    const member = newMember();
    let nowMs = 0;
    const handle = (event: MemberEvent): void => {
      for (const effect of step(member, event, nowMs))
        if (effect.do === "SendFrame") encodeControl(effect.frame);
    };
    handle({ type: "Started" });
    if (role === "representative") {
      for (nowMs = 1_000; nowMs < 3_000; nowMs += 1_000) handle({ type: "TimerFired" });
      handle({ type: "LeaseAnswered", answer: { result: "granted", term: 1, before: null } });
    }
    if (role === "peer") {
      const leader = {
        device: "00000000000000bb",
        term: 1,
        ticket: 1,
        phase: 1,
        lanPort: 1,
        symbolSizeBytes: 1_400,
      };
      const zeros = { startsInMs: 0, frontCount: 0, castCount: 0, pass: 0, audience: 0, rateBps: 0 };
      handle({
        type: "FrameReceived",
        frame: { type: "announce", ...leader, ...zeros },
        from: { address: "10.0.0.2", sender: "1" },
      });
    }
    expect(member.role).toBe(role);
    // More devices than any table holds; fewer for a representative, which takes longest for each.
    for (let i = 0; i < (role === "peer" ? inventions : inventions / 8); i++) {
      nowMs += 0.05;
      for (const frame of framesOf(i)) {
        if (role === "candidate" && frame.type === "claim") continue;
        handle({ type: "FrameReceived", frame, from: { address: "10.0.0.66", sender: idOf(i) } });
      }
    }
    expect(member.role).toBe(role);
    expect([...member.roster].length).toBeLessThanOrEqual(rosterDevicesMax);
    expect(member.holders.count).toBeLessThanOrEqual(holdersMax);
  },
  20_000,
);

test("a banned holder stays banned under any device id, and no other holder is banned for it", () => {
  const holders = new Holders(4);
  const held = new ChunkSet(4);
  const all = ChunkSet.full(4);
  const honest = { device: "00000000000000bb", address: "10.0.0.2", lanPort: 1 };
  holders.update({ ...honest, address: "10.0.0.66" }, all, 0);
  const fetch = holders.next(held, 0)!;
  holders.finished(fetch, "wrong", 0);
  // A banned holder stays banned after it was silent.
  holders.forget(honest.device);
  holders.update({ ...honest, address: "10.0.0.66" }, all, 0);
  holders.update(honest, all, 0);
  holders.update({ ...honest, device: "00000000000000cc", address: "10.0.0.66" }, all, 0, true);
  const asked = [holders.next(held, 0), holders.next(held, 0), holders.next(held, 0)];
  expect(asked.map((one) => one?.holder)).toEqual([honest, honest, undefined]);
});

test("pending answers, NACKs of peers and reports are bounded", () => {
  const responder = new WantResponder();
  const nacks = new NackSender(new ChunkSet(chunkCount));
  const rate = new RateControl(null, 0);
  for (let i = 0; i < inventions; i++) {
    responder.onWant(idOf(i), 0, 0);
    nacks.onPeerNack([i % chunkCount, i, 64]);
    rate.onReport(idOf(i), { lossPermille: 1_000, queuedMs: 0 }, 1);
  }
  expect(responder.takeDue(1).length).toBeLessThanOrEqual(256);
  expect(rate.adjust(null, 1_000, 1)).toBe(true);
  expect(nacks.takeDue(1, () => false, 1_466)).toEqual([]);
});
