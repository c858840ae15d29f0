/** Events that end each stage of a candidate: docs/PROTOCOL.md, "Candidate", as a table. */
import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../../model/chunk-set.ts";
import type { ControlFrame } from "../../wire/frames.ts";
import type { LeaseAnswer, MemberEvent } from "../events.ts";
import type { Member } from "../member.ts";
import type { Role } from "../roles.ts";
import { step } from "../step.ts";
import { announceForTest, memberForTest } from "../testing-member.ts";
import { timing } from "../timing.ts";
import { hasClaimed, type CandidateStage } from "./candidate-stage.ts";

/** The random number and the score of the member are 0.5: each takes half of its time. */
const claimAtMs = timing.listenMs + timing.rankWindowMs / 2 + timing.rankJitterMs / 2;
const ticket = 0x8000_0000;
const rival = "00000000000000bb";
const failed = "00000000000000cc";

const received = (frame: ControlFrame): MemberEvent => ({
  type: "FrameReceived",
  frame,
  from: { address: "10.0.0.2", sender: frame.device },
});
const claims = (rivalTicket: number, term = 1): MemberEvent =>
  received({ type: "claim", device: rival, term, ticket: rivalTicket, lanPort: 7_000, haveCount: 0 });
const announces = (term: number): MemberEvent => received(announceForTest({ device: rival, term }));
const answers = (answer: LeaseAnswer): MemberEvent => ({ type: "LeaseAnswered", answer });
const holds = (deviceId: string): MemberEvent =>
  answers({ result: "refused", holder: { deviceId, address: "10.0.0.3", lanPort: 7_000, term: 1 } });
const granted = answers({ result: "granted", term: 1, before: null });
const unreachable = answers({ result: "unreachable" });
const timer: MemberEvent = { type: "TimerFired" };
const seek = received({
  type: "seek",
  device: "00000000000000dd",
  haveCount: 0,
  missing: [0, 8],
  lanPort: 7_000,
  term: 0,
  symbolMaxBytes: 1_400,
});

/** Returns the stage of a candidate, otherwise the role. */
const stageOf = ({ state }: Member): string => (state.role === "candidate" ? state.stage.kind : state.role);

function started(setting: Parameters<typeof memberForTest>[1] = {}): Member {
  const member = memberForTest({ held: new ChunkSet(8) }, setting);
  step(member, { type: "Started" }, 0);
  return member;
}

/** Ways into each stage, and the time at which the member is in it. */
const into = {
  listening: () => ({ member: started(), nowMs: 100 }),
  requesting: () => {
    const { member } = into.listening();
    step(member, seek, 100);
    step(member, timer, claimAtMs);
    return { member, nowMs: claimAtMs };
  },
  unconfirmed: () => {
    const { member, nowMs } = into.requesting();
    step(member, unreachable, nowMs + 1);
    return { member, nowMs: nowMs + 1 };
  },
  refused: () => {
    const { member, nowMs } = into.requesting();
    member.session.failedLeader = failed;
    step(member, holds(failed), nowMs + 1);
    return { member, nowMs: nowMs + 1 };
  },
};

type Row = [stage: keyof typeof into, what: string, next: string, event: MemberEvent];

test.each<Row>([
  ["listening", "a worse claim of its term", "peer", claims(ticket + 1)],
  ["listening", "a claim of an earlier term", "listening", claims(1, 0)],
  ["listening", "an announcement of its term", "peer", announces(1)],
  ["listening", "a late grant of the lease", "listening", granted],
  ["requesting", "a grant of the lease", "representative", granted],
  ["requesting", "the source is unreachable", "unconfirmed", unreachable],
  ["requesting", "the lease of another device", "peer", holds(rival)],
  ["requesting", "a better claim", "requesting", claims(ticket - 1)],
  ["requesting", "a claim of a later term", "requesting", claims(ticket + 1, 2)],
  ["requesting", "a worse claim", "requesting", claims(ticket + 1)],
  ["requesting", "an announcement of its term", "peer", announces(1)],
  ["unconfirmed", "a better claim", "peer", claims(ticket - 1)],
  ["unconfirmed", "a worse claim of a later term", "peer", claims(ticket + 1, 2)],
  ["unconfirmed", "a worse claim", "unconfirmed", claims(ticket + 1)],
  ["unconfirmed", "a late grant of the lease", "representative", granted],
  ["unconfirmed", "the lease of another device", "peer", holds(rival)],
  ["refused", "a better claim", "peer", claims(ticket - 1)],
  ["refused", "a worse claim", "refused", claims(ticket + 1)],
  ["refused", "a grant of the lease", "representative", granted],
  ["refused", "the source is unreachable", "unconfirmed", unreachable],
  ["refused", "the lease of a third device", "peer", holds(rival)],
  ["refused", "the lease of the failed representative again", "refused", holds(failed)],
])("a candidate that is %s, after %s, is %s", (stage, _, next, event) => {
  const { member, nowMs } = into[stage]();
  expect(stageOf(member)).toBe(stage);
  step(member, event, nowMs + 1);
  expect(stageOf(member)).toBe(next);
});

describe("a listening candidate", () => {
  test("claims and asks for the lease when its delay is over, and not before", () => {
    const { member } = into.listening();
    step(member, seek, 100);
    step(member, timer, claimAtMs - 1);
    expect(stageOf(member)).toBe("listening");
    const effects = step(member, timer, claimAtMs);
    expect(effects).toContainEqual({ do: "RequestLease", term: 1, query: false, starting: true });
    const claim = {
      type: "claim",
      device: member.config.device,
      term: 1,
      ticket,
      lanPort: 7_000,
      haveCount: 0,
    };
    expect(effects).toContainEqual({ do: "SendFrame", frame: claim as ControlFrame, context: "task" });
  });

  test("waits for isolationDelayMs more, once, when it received no other device", () => {
    const { member } = into.listening();
    step(member, timer, claimAtMs);
    step(member, timer, claimAtMs + timing.isolationDelayMs - 1);
    expect(stageOf(member)).toBe("listening");
    step(member, timer, claimAtMs + timing.isolationDelayMs);
    expect(stageOf(member)).toBe("requesting");
  });

  test("does not wait for other devices when multicast is off", () => {
    const member = started({ useMulticast: false });
    step(member, timer, claimAtMs);
    expect(stageOf(member)).toBe("requesting");
  });

  test("listens for listenMs after a stall", () => {
    const { member } = into.listening();
    step(member, seek, 100);
    step(member, { type: "Stalled", stalledMs: 2_000 }, 2_100);
    step(member, timer, 2_100 + timing.listenMs - 1);
    expect(stageOf(member)).toBe("listening");
    step(member, timer, 2_100 + timing.listenMs);
    expect(stageOf(member)).toBe("requesting");
  });
});

test.each([
  [2, "candidate"],
  [3, "peer"],
  [4, "peer"],
])("a candidate that received term 3, after an announcement of term %d, is a %s", (term, role) => {
  const member = memberForTest({ held: new ChunkSet(8) });
  member.term = 3;
  step(member, { type: "Started" }, 0);
  step(member, announces(term), 1);
  expect(member.state.role).toBe(role as Role);
});

describe("a candidate that asks for the lease", () => {
  test("leads without the lease when the source does not answer for leaseTimeoutMs", () => {
    const { member, nowMs } = into.requesting();
    step(member, timer, nowMs + timing.leaseTimeoutMs - 1);
    expect(stageOf(member)).toBe("requesting");
    step(member, timer, nowMs + timing.leaseTimeoutMs);
    expect(stageOf(member)).toBe("representative");
  });

  test.each([
    ["does not answer", (member: Member) => step(member, timer, claimAtMs + timing.leaseTimeoutMs)],
    ["is unreachable", (member: Member) => step(member, unreachable, claimAtMs + 2)],
  ])("follows the best of its rivals when the source %s", (_, act) => {
    const { member, nowMs } = into.requesting();
    for (const better of [ticket - 5, ticket - 9, ticket - 7]) step(member, claims(better), nowMs + 1);
    act(member);
    expect(member.state).toMatchObject({ role: "peer", leader: { device: rival, ticket: ticket - 9 } });
  });

  test("leads in the term of a rival when the lease is granted", () => {
    const { member, nowMs } = into.requesting();
    step(member, claims(ticket, 4), nowMs + 1);
    step(member, granted, nowMs + 2);
    expect(member.state).toMatchObject({ role: "representative", term: 4 });
  });

  test("answers a worse claim with its own", () => {
    const { member, nowMs } = into.requesting();
    const frames = step(member, claims(ticket + 1), nowMs + 1).map((each) =>
      each.do === "SendFrame" ? each.frame.type : each.do,
    );
    expect(frames).toEqual(["claim"]);
  });

  test("resigns and is idle until the source's time when representatives failed alike", () => {
    const { member, nowMs } = into.requesting();
    const effects = step(
      member,
      answers({ result: "failed", reason: "404", retryAfterMs: 9_000 }),
      nowMs + 1,
    );
    expect(effects).toContainEqual({ do: "Failed", reason: "404", retryAfterMs: 9_000 });
    const resign = { type: "resign", device: member.config.device, term: 1, reason: "404" } as const;
    expect(effects).toContainEqual({ do: "SendFrame", frame: resign, context: "task" });
    expect(member.state).toEqual({ role: "idle", why: "404", retryAtMs: nowMs + 9_001 });
  });
});

test("an unconfirmed candidate leads when claimSettleMs passed since its claim", () => {
  const { member } = into.unconfirmed();
  step(member, timer, claimAtMs + timing.claimSettleMs - 1);
  expect(stageOf(member)).toBe("unconfirmed");
  step(member, timer, claimAtMs + timing.claimSettleMs);
  expect(stageOf(member)).toBe("representative");
});

describe("a refused candidate", () => {
  test("asks again with its claim leaseRetryMs after its request", () => {
    const { member } = into.refused();
    expect(step(member, timer, claimAtMs + timing.leaseRetryMs - 1)).toEqual([]);
    const effects = step(member, timer, claimAtMs + timing.leaseRetryMs);
    expect(effects).toContainEqual({ do: "RequestLease", term: 1, query: false, starting: true });
    expect(stageOf(member)).toBe("requesting");
  });

  test("follows the representative that it gave up when the lease names it claimantSilentMs after the longest back-off", () => {
    const { member } = into.refused();
    const untilMs = timing.rankWindowMs + timing.claimantSilentMs;
    step(member, holds(failed), untilMs - 1);
    expect(member.state.role).toBe("candidate");
    step(member, holds(failed), untilMs);
    expect(member.state).toMatchObject({ role: "peer", leader: { device: failed } });
  });
});

const observing = (): Member => {
  const member = memberForTest({ held: new ChunkSet(8), rank: () => ({ kind: "never" }) });
  step(member, { type: "Started" }, 0);
  return member;
};

describe("a candidate of weight 0", () => {
  test("asks the source who leads after listenMs and then every leaseQueryMs, and never claims", () => {
    const member = observing();
    const queriesMs: number[] = [];
    for (let nowMs = 1; nowMs <= 10_000; nowMs++)
      for (const effect of step(member, timer, nowMs)) {
        if (effect.do === "RequestLease") queriesMs.push(nowMs);
        if (effect.do === "RequestLease") expect(effect.query).toBe(true);
        if (effect.do === "SendFrame") expect(effect.frame.type).not.toBe("claim");
      }
    expect(queriesMs).toEqual([0, 1, 2, 3].map((i) => timing.listenMs + i * timing.leaseQueryMs));
    expect(stageOf(member)).toBe("observing");
  });

  test.each<[string, string, MemberEvent]>([
    ["a claim", "peer", claims(ticket + 1)],
    ["an announcement", "peer", announces(1)],
    ["the name of the lease's holder", "peer", holds(rival)],
    ["the answer that the lease is free", "observing", answers({ result: "free" })],
    ["no answer of the source", "observing", unreachable],
  ])("after %s is %s", (_, next, event) => {
    const member = observing();
    step(member, event, 500);
    expect(stageOf(member)).toBe(next);
  });
});

test.each<[CandidateStage, boolean]>([
  [{ kind: "listening", claimAtMs: 0, mayBeIsolated: true }, false],
  [{ kind: "observing", queriedAtMs: 0, isGuarded: true }, false],
  [{ kind: "requesting", requestedAtMs: 0, settlesAtMs: 0, rival: null }, true],
  [{ kind: "granted" }, true],
  [{ kind: "unconfirmed", settlesAtMs: 0 }, true],
  [{ kind: "refused", requestedAtMs: 0, settlesAtMs: 0, rival: null }, true],
])("hasClaimed distinguishes the stages before and after a claim: %j is %p", (stage, expected) => {
  expect(hasClaimed(stage)).toBe(expected);
});
