/**
 * Fuzz target of a session's member: valid frames of an insider in every role, in any order, with
 * any number in its bounds. The member must not throw, its answers must be encodable, and its
 * memory must stay bounded.
 */
import { ChunkSet } from "../../shared/model/chunk-set.ts";
import { holdersMax } from "../../shared/core/peers/holders.ts";
import type { Member } from "../../shared/core/member.ts";
import { memberForTest } from "../../shared/core/testing-member.ts";
import type { Effect, LeaseAnswer, MemberEvent } from "../../shared/core/events.ts";
import { rosterDevicesMax } from "../../shared/core/peers/roster.ts";
import { step, wakeAtMs } from "../../shared/core/step.ts";
import { encodeControl } from "../../shared/wire/encode.ts";
import { controlFields } from "../../shared/wire/fields.ts";
import type { ControlType } from "../../shared/wire/frames.ts";
import { limits } from "../../shared/wire/index.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { anyFrame } from "./frames.ts";
import { promise, type Target } from "./target.ts";

const device = "00000000000000aa";
const controlTypes = Object.keys(controlFields) as ControlType[];
const eventsPerCase = 24;
const chunkCount = 64;

function newMember(random: SeededRandom): Member {
  const held = new ChunkSet(chunkCount);
  for (let chunk = random.int(chunkCount); chunk > 0; chunk--) held.add(chunk);
  const config = {
    held,
    missingSymbols: (chunk: number, add: (block: number, count: number) => void): boolean => {
      if (chunk % 3 === 0) add(0, 1 + (chunk % 64));
      return chunk % 3 === 0;
    },
    currentChunk: () => (random.int(2) === 0 ? null : random.int(chunkCount)),
    sendShares: () => 1 + random.int(3),
    random: () => random.int(1_000) / 1_000,
  };
  return memberForTest(config, { sessionStartDelayMs: 100 });
}

const peerOf = (random: SeededRandom) => ({ device: random.hex(8), address: "10.0.0.7", lanPort: 1 });

function anyLease(random: SeededRandom): LeaseAnswer {
  const term = random.edgeValue(0, limits.counterMax);
  const holder = { deviceId: random.hex(8), address: "10.0.0.9", lanPort: random.edgeValue(0, 65_535), term };
  const retryAfterMs = random.edgeValue(0, 2 ** 40);
  const answers = [
    {
      result: "granted",
      term,
      before: random.oneIn(2) ? null : { ...peerOf(random), lanPort: random.edgeValue(0, 65_535) },
    },
    { result: "refused", holder },
    { result: "failed", reason: "x".repeat(random.int(1_024)), retryAfterMs },
    { result: "free" },
    { result: "unreachable" },
  ] satisfies LeaseAnswer[];
  return random.pick(answers);
}

function anyEvent(random: SeededRandom, member: Member): MemberEvent {
  const { state } = member;
  switch (random.int(12)) {
    case 0:
      return { type: "LeaseAnswered", answer: anyLease(random) };
    case 1:
      return { type: "SymbolsReceived", count: random.edgeValue(1, 100_000) };
    case 2: {
      const peer = peerOf(random);
      const [first, count] = [random.int(chunkCount), random.int(70)];
      return {
        type: "PeerPolled",
        peer,
        heldRanges: random.oneIn(4) ? [5, 1, 3, 1] : [first, count],
        listens: random.oneIn(2),
      };
    }
    case 3:
      return { type: "Stalled", stalledMs: random.edgeValue(0, 2 ** 40) };
    case 4:
      return {
        type: "BadChunkReceived",
        device: state.role === "peer" ? state.leader.device : random.hex(8),
      };
    default: {
      const frame = anyFrame(
        random,
        random.pick(controlTypes),
        random.oneIn(3) ? limits.counterMax : chunkCount,
      );
      // Forged in the name of the member's representative, or of the member itself.
      const forged =
        state.role === "peer" && random.oneIn(2)
          ? state.leader.device
          : random.oneIn(8)
            ? device
            : frame.device;
      return {
        type: "FrameReceived",
        frame: { ...frame, device: forged },
        from: { address: `10.0.0.${random.int(256)}`, sender: random.pick(["1", "2"]) },
      };
    }
  }
}

function check(member: Member, effects: readonly Effect[]): void {
  for (const effect of effects) if (effect.do === "SendFrame") encodeControl(effect.frame);
  promise(member.term <= limits.counterMax, "a term fits its field");
  promise(member.holders.count <= holdersMax, "holders are bounded");
  promise([...member.roster].length <= rosterDevicesMax, "the roster is bounded");
}

function run(random: SeededRandom): string {
  const member = newMember(random);
  let nowMs = 1_000_000;
  check(member, step(member, { type: "Started" }, nowMs));
  for (let events = 0; events < eventsPerCase; events++) {
    const wakeMs = wakeAtMs(member, nowMs);
    promise(!Number.isNaN(wakeMs), "the time of the next wake-up is a number");
    nowMs += random.oneIn(3) ? Math.max(0, Math.min(wakeMs - nowMs, 60_000)) : random.int(200);
    check(member, step(member, random.oneIn(3) ? { type: "TimerFired" } : anyEvent(random, member), nowMs));
    member.nextToSend(nowMs);
    member.nextDownloadRun(nowMs);
    const fetch = member.nextFetch(nowMs);
    if (fetch)
      member.holders.finished(fetch, random.pick(["served", "failed", "not-found", "busy", "wrong"]), nowMs);
  }
  return member.role;
}

export const members: Target = {
  name: "members",
  about: "sessions of 24 events each: valid frames that an insider chose, leases and polls",
  share: 100,
  open: () => ({ run }),
};
