/** State and sentence of a task in each stage, over real members and a real store. */
import { describe, expect, test } from "bun:test";
import { parse } from "valibot";
import { problemReason, reason as reasonOf, reasonsText, type Reason } from "../model/reason.ts";
import { progressSchema } from "../api/schema/common.ts";
import { PackageStore, type ChunkOrigin } from "../cache/index.ts";
import { packageRow } from "../cache/reconcile.ts";
import type { Member } from "../core/member.ts";
import type { UnicastReason } from "../core/delivery/delivery-mode.ts";
import type { PeerState, RepresentativeState } from "../core/state.ts";
import { step } from "../core/step.ts";
import { announceForTest, memberForTest } from "../core/testing-member.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { testKey, testPackage } from "../model/testing.ts";
import { simulatedCache } from "../simulation/testing.ts";
import { phases, type ControlFrame } from "../wire/index.ts";
import { newTaskRow, type TaskLife } from "./task-record.ts";
import type { TaskStage } from "./task-stage.ts";
import { progressOf, reasonsOf, stateOf, takesPart } from "./task-status.ts";
import type { TaskView } from "./task-view.ts";
import { taskForTest } from "./testing.ts";

/** Ten chunks of 1,024 bytes. */
const tool = testPackage(testKey(), { files: { "a.bin": 10_240 } });
const chunkCount = 10;
const leader = "00000000000000bb";
const startMs = 1_000;

/** A store whose ledger lists as many chunks of each origin, the first ones. */
function storeWith(counts: Partial<Record<ChunkOrigin, number>>): PackageStore {
  const { files, clock, ledger, folder, log } = simulatedCache();
  ledger.addPackage(packageRow(tool.id, tool.manifest));
  let next = 0;
  for (const [origin, count] of Object.entries(counts) as [ChunkOrigin, number][])
    for (let i = 0; i < count; i++)
      ledger.addChunks(tool.id, [{ chunk: next++, bytes: 1_024, origin, verifiedAtMs: 0 }]);
  const { id, manifest, signed } = tool;
  const paths = { partialPath: folder.partialPath(id), finalPath: folder.finalPath("tool", "1.0") };
  return new PackageStore({ id, manifest, signed, ...paths, ledger, state: "partial", files, clock, log });
}

// ---- members in each role ----------------------------------------------------------------------

type Setting = Parameters<typeof memberForTest>[1];

function candidate(setting: Setting = {}): Member {
  const member = memberForTest({ held: ChunkSet.full(chunkCount) }, setting);
  step(member, { type: "Started" }, 0);
  return member;
}
const receive = (member: Member, frame: ControlFrame, nowMs = startMs): void =>
  void step(member, { type: "FrameReceived", frame, from: { address: "10.0.0.2", sender: "1" } }, nowMs);

/** A peer since `startMs`, of a representative in a phase. */
function peer(phase: number, startsInMs = 0): Member {
  const member = memberForTest({ held: new ChunkSet(chunkCount) });
  step(member, { type: "Started" }, 0);
  receive(member, announceForTest({ device: leader, term: 3, phase, startsInMs }));
  return member;
}
/** A peer of the device that claimed, or of the holder of the lease that the source named. */
function peerBy(known: "claim" | "lease"): Member {
  const member = memberForTest({ held: new ChunkSet(chunkCount) });
  step(member, { type: "Started" }, 0);
  if (known === "claim")
    receive(member, { type: "claim", device: leader, term: 3, ticket: 1, lanPort: 7_000, haveCount: 0 });
  else {
    const holder = { deviceId: leader, address: "10.0.0.2", lanPort: 7_000, term: 3 };
    step(member, { type: "LeaseAnswered", answer: { result: "refused", holder } }, startMs);
  }
  return member;
}
const peerState = (member: Member): PeerState => member.state as PeerState;
/** A peer that takes chunks by unicast. */
function unicastPeer(reason: UnicastReason, startsInMs = 0): Member {
  const member = peer(phases.casting, startsInMs);
  peerState(member).delivery.mode = { kind: "unicast", reason, retryAtMs: Number.POSITIVE_INFINITY };
  return member;
}
function straggler(): Member {
  const member = peer(phases.casting);
  const { loss } = peerState(member).reception;
  // A quarter of the symbols arrives, in two passes after the first END.
  for (const symbolsSent of [0, 1_000, 2_000]) {
    loss.onEnd(symbolsSent);
    loss.received(250);
  }
  return member;
}
function ownDownload(): Member {
  const member = peer(phases.casting);
  member.setDownloading(true);
  return member;
}

type Audience = { readonly listeners?: number; readonly unicast?: number; readonly startDelayMs?: number };

/** A representative of term 1 since `startMs`, at 2 Mbit/s; its audience misses every chunk. */
function representative({ listeners = 0, unicast = 0, startDelayMs = 0 }: Audience = {}): Member {
  const member = candidate({ sessionStartDelayMs: startDelayMs, lanRateBps: 2_000_000 });
  const seek = {
    type: "seek",
    device: leader,
    haveCount: 0,
    missing: [],
    lanPort: 0,
    term: 0,
    symbolMaxBytes: 1_400,
  } as const;
  receive(member, seek, 100);
  step(member, { type: "TimerFired" }, startMs);
  step(member, { type: "LeaseAnswered", answer: { result: "granted", term: 1, before: null } }, startMs);
  expect(member.role).toBe("representative");
  for (let i = 0; i < listeners + unicast; i++)
    member.roster.update({
      device: `${i}`,
      address: "",
      lanPort: 1,
      missing: ChunkSet.full(chunkCount),
      receivedAtMs: startMs,
      delivery: i < listeners ? "multicast" : "unicast",
    });
  return member;
}
/** A representative that has sent some chunks. */
function casting(chunks: number, audience: Audience = { listeners: 2 }): Member {
  const member = representative(audience);
  for (let i = 0; i < chunks; i++) expect(member.nextToSend(startMs)).not.toBeNull();
  return member;
}
function serving(): Member {
  const member = casting(chunkCount);
  (member.state as RepresentativeState).phase = { kind: "serving", sinceMs: startMs };
  return member;
}
/** A representative whose receivers report this loss and queuing delay. */
function reported(lossPermille: number, queuedMs: number): Member {
  const member = casting(4);
  const { rate } = (member.state as RepresentativeState).stream;
  for (const device of ["0", "1"]) rate.onReport(device, { lossPermille, queuedMs }, 0);
  rate.adjust(2_000_000, startMs + 300, 0);
  return member;
}
function idle(): Member {
  const member = candidate();
  step(member, { type: "Stopped", reason: "the package is complete" }, startMs);
  return member;
}

// ---- tasks -----------------------------------------------------------------------------------

const session: TaskStage = { kind: "session", note: null };
const waiting = (note: string, isBlocked = false): TaskStage => ({
  kind: "waiting",
  cause: "back-off",
  note: note === "" ? null : problemReason(note),
  isBlocked,
});

type Parts = {
  readonly stage?: TaskStage;
  readonly life?: TaskLife;
  readonly reason?: Reason;
  readonly way?: Reason;
  /** Note of the representative's download. */
  readonly note?: string;
  readonly store?: PackageStore | null;
  readonly useMulticast?: boolean;
  /** Reason of a guard. */
  readonly guard?: Reason;
};

const received = [{ deviceId: leader, bytes: 4, signAgoMs: 5, bytesAgoMs: 6 }];

/** A task whose session has this member; null: it has no session. */
function taskWith(member: Member | null, parts: Parts = {}): TaskView {
  const { stage = session, life = "open", reason = null, way = null, note = "" } = parts;
  const store = parts.store === undefined ? storeWith({}) : parts.store;
  return {
    row: { ...newTaskRow(taskForTest({ useMulticast: parts.useMulticast ?? true })), life, reason, way },
    stage,
    session: member && {
      member,
      representative: { note },
      unicastReason: reasonOf("wireless"),
      receptions: { list: () => received },
    },
    store,
    guard: { reason: parts.guard ?? null },
  };
}
const ended: TaskStage = { kind: "ended" };
const ready = (isBlocked = false): TaskStage => ({
  kind: "ready",
  note: reasonOf("awaits-command", { taskId: 3 }),
  isBlocked,
});

describe("the state of a task", () => {
  test.each<[what: string, task: TaskView, state: string]>([
    ["that ended successfully", taskWith(null, { stage: ended, life: "complete" }), "complete"],
    ["that failed", taskWith(null, { stage: ended, life: "failed" }), "failed"],
    ["that was superseded", taskWith(null, { stage: ended, life: "superseded" }), "superseded"],
    ["that waits for its turn", taskWith(null, { stage: ready() }), "ready"],
    ["that waits for a failed task", taskWith(null, { stage: ready(true) }), "failed"],
    ["that was cancelled", taskWith(null, { stage: ended, life: "cancelled" }), "cancelled"],
    [
      "that ended and leads for others",
      taskWith(representative(), { stage: ended, life: "complete" }),
      "complete",
    ],
    ["that waits", taskWith(null, { stage: waiting("") }), "waiting"],
    ["that waits for a person", taskWith(null, { stage: waiting("", true) }), "failed"],
    ["that is verified", taskWith(representative(), { stage: { kind: "verifying" } }), "verifying"],
    ["whose command runs", taskWith(null, { stage: { kind: "running" } }), "running"],
    ["of a candidate", taskWith(candidate()), "seeking"],
    ["of a representative", taskWith(representative()), "downloading"],
    ["of a peer before the multicast", taskWith(peer(phases.preparing)), "receiving"],
    ["of a peer during the multicast", taskWith(peer(phases.casting)), "receiving"],
    ["of a peer after the multicast", taskWith(peer(phases.serving)), "repairing"],
    ["of an idle member", taskWith(idle()), "waiting"],
    [
      "of an idle member after failures",
      taskWith(idle(), { stage: { kind: "session", note: problemReason("404") } }),
      "failed",
    ],
    ["whose session has not begun", taskWith(null), "waiting"],
  ])("%s", (_, task, state) => {
    expect(stateOf(task)).toBe(state as ReturnType<typeof stateOf>);
  });
});

test.each<[what: string, takes: string, task: TaskView]>([
  ["a representative", "takes part", taskWith(representative())],
  ["a representative after its task", "takes part", taskWith(representative(), { stage: ended })],
  ["a peer", "takes part", taskWith(peer(phases.casting))],
  [
    "a peer whose package is verified",
    "does not take part",
    taskWith(peer(phases.casting), { stage: { kind: "verifying" } }),
  ],
  ["a candidate", "does not take part", taskWith(candidate())],
  ["an idle member", "does not take part", taskWith(idle())],
  ["a task without a session", "does not take part", taskWith(null)],
])("%s %s in a session", (_, takes, task) => {
  expect(takesPart(task)).toBe(takes === "takes part");
});

const sentenceOf = (task: TaskView): string => reasonsText(reasonsOf(task, startMs));

describe("the sentence of a task", () => {
  test.each<[what: string, task: TaskView, sentence: string]>([
    ["is verified", taskWith(null, { stage: { kind: "verifying" } }), "reads the package back from the disk"],
    ["waits for its turn", taskWith(null, { stage: ready() }), "waits for the command of task 3"],
    ["runs its command", taskWith(null, { stage: { kind: "running" } }), "runs the command"],
    ["waits", taskWith(null, { stage: waiting("the disk is full") }), "the disk is full"],
    ["failed", taskWith(null, { stage: ended, life: "failed", reason: problemReason("404") }), "404"],
    [
      "is complete",
      taskWith(null, {
        stage: ended,
        life: "complete",
        way: reasonOf("joined-late", { share: 0.4 }),
        store: storeWith({ multicast: 6, peers: 4 }),
      }),
      "complete: 60 % multicast, 40 % from peers (joined late, 40 % had been multicast)",
    ],
    [
      "is complete without a store",
      taskWith(null, { stage: ended, life: "complete", store: null }),
      "complete",
    ],
    ["looks for a session", taskWith(candidate()), "looks for a session on this subnet"],
    [
      "looks for a session under a guard",
      taskWith(candidate(), { guard: reasonOf("guard-not-representative", { guards: "battery,disk" }) }),
      "looks for a session on this subnet; is not elected as representative: on battery (guardBattery), " +
        "little free space on the disk (guardDisk)",
    ],
    [
      "has ended under a guard",
      taskWith(null, { stage: ended, life: "cancelled", guard: reasonOf("guard-pause", { guards: "io" }) }),
      "",
    ],
    ["is idle", taskWith(idle()), "the package is complete"],
    [
      "is idle after a failure",
      taskWith(idle(), { stage: { kind: "session", note: problemReason("404 again") } }),
      "404 again",
    ],
    ["has no session yet", taskWith(null), ""],
  ])("that %s", (_, task, sentence) => {
    expect(sentenceOf(task)).toBe(sentence);
  });
});

describe("the sentence of a peer", () => {
  test.each<[what: string, member: Member, parts: Parts, sentence: string]>([
    ["of a claimant", peerBy("claim"), {}, `waits for representative ${leader}, which claimed the session`],
    ["of the lease's holder", peerBy("lease"), {}, `representative ${leader}, which holds the lease`],
    [
      "before the multicast",
      peer(phases.preparing, 4_200),
      {},
      `waits for representative ${leader}: multicast starts in 5s`,
    ],
    ["during the multicast", peer(phases.casting), {}, `receives multicast from representative ${leader}`],
    ["after the multicast", peer(phases.serving), {}, "asks other devices for the parts it missed"],
    [
      "on unicast",
      unicastPeer("no-data"),
      {},
      `takes chunks from representative ${leader} and others by LAN unicast (on a wireless interface, where multicast is slow and lossy)`,
    ],
    [
      "whose representative fell silent before its multicast",
      unicastPeer("fell-silent", 60_000),
      {},
      `waits for representative ${leader} to begin its multicast, asks it by LAN unicast meanwhile (on a wireless interface, where multicast is slow and lossy)`,
    ],
    [
      "that is too slow",
      straggler(),
      {},
      `too slow for the multicast of representative ${leader} (loses 75 %)`,
    ],
    [
      "that downloads for itself",
      ownDownload(),
      { note: "at 3 Mbit/s" },
      "no device of this subnet can be reached: downloads itself; download at 3 Mbit/s",
    ],
  ])("%s", (_, member, parts, sentence) => {
    expect(sentenceOf(taskWith(member, parts))).toContain(sentence);
  });
});

describe("the sentence of a representative", () => {
  test.each<[what: string, member: Member, parts: Parts, sentence: string]>([
    [
      "that holds the package, before the multicast",
      representative({ listeners: 1, startDelayMs: 3_500 }),
      {},
      "multicast to 1 peer starts in 4s",
    ],
    ["during the multicast", casting(4), {}, "multicast 40 % to 2 peers at 2mbit"],
    [
      "with a note on its download",
      casting(4),
      { note: "waits for the web site" },
      "multicast 40 % to 2 peers at 2mbit; download waits for the web site",
    ],
    [
      "with a part of its audience on unicast",
      casting(0, { listeners: 2, unicast: 3 }),
      {},
      "multicast 0 % to 2 peers (3 more by unicast) at 2mbit",
    ],
    [
      "with all of its audience on unicast",
      casting(0, { unicast: 2 }),
      {},
      "serves 2 peers by LAN unicast, as none of them takes part in the multicast",
    ],
    [
      "without multicast",
      casting(0),
      { useMulticast: false },
      "serves 2 peers by LAN unicast (useMulticast=false)",
    ],
    [
      "without an audience",
      casting(0, {}),
      {},
      "multicast stands at 0 %, as no device of this subnet is missing chunks",
    ],
    ["after the multicast", serving(), {}, "multicast is over, serves repairs to 2 peers"],
  ])("%s", (_, member, parts, sentence) => {
    expect(sentenceOf(taskWith(member, parts))).toBe(`representative of term 1: ${sentence}`);
  });

  test("states why its own command failed, or that a reboot is needed, when it leads for others", () => {
    const failed = taskWith(serving(), {
      stage: ended,
      life: "failed",
      reason: problemReason("exit code 7"),
    });
    expect(sentenceOf(failed)).toStartWith("exit code 7; still representative of term 1: multicast is over");
    const done = taskWith(serving(), { stage: ended, life: "complete", reason: reasonOf("already-there") });
    expect(sentenceOf(done)).toStartWith(
      "complete; already there: the command detect ended with exit code 0; still",
    );
  });

  test("states that its own task is complete when it leads for others", () => {
    const task = taskWith(serving(), { stage: ended, life: "complete" });
    expect(sentenceOf(task)).toStartWith("complete; still representative of term 1: multicast is over");
  });

  test.each([
    [0, 0, /bit$/],
    [15, 0, /, median loss 1\.5 %$/],
    [0, 900, /bit, yields to other traffic: queuing delay 900 ms$/],
    [15, 900, /, median loss 1\.5 %, yields to other traffic: queuing delay 900 ms$/],
  ])(
    "with a reported loss of %p permille and a delay of %p ms ends with %p",
    (lossPermille, queuedMs, end) => {
      expect(sentenceOf(taskWith(reported(lossPermille, queuedMs)))).toMatch(end);
    },
  );
});

describe("the report of a task", () => {
  const counted = {
    wanBytesFetched: 11,
    lanBytesSent: 12,
    rateBps: 13,
    wrongFrom: [{ address: "10.0.0.9", deviceId: null, chunks: 2 }],
  };

  test("has the state, the bytes by origin and the member's role and term, as the API takes them", () => {
    const task = taskWith(peer(phases.serving), { store: storeWith({ multicast: 6, peers: 1, wan: 2 }) });
    const report = progressOf(task, startMs, counted);
    expect(report).toEqual({
      taskId: 7,
      attempt: 1,
      epoch: "",
      createdAtMs: 1,
      state: "repairing",
      role: "peer",
      term: 3,
      bytesTotal: 10_240,
      bytesVerified: 9_216,
      follows: leader,
      from: { wan: 2_048, multicast: 6_144, peers: 1_024, cache: 0 },
      way: "unicast",
      reasons: [reasonOf("repairs")],
      command: null,
      receivedFrom: received,
      ...counted,
    });
    expect(parse(progressSchema, report)).toEqual(report);
  });

  test("counts the bytes of an earlier task as cached, in words too", () => {
    const store = storeWith({ wan: 8, peers: 2 });
    const task = taskWith(null, { stage: ended, life: "complete", store, way: reasonOf("was-cached") });
    const report = progressOf(task, startMs, counted);
    expect(report).toMatchObject({ from: { wan: 0, multicast: 0, peers: 0, cache: 10_240 }, way: "none" });
    expect(reasonsText(report.reasons)).toBe("complete: 100 % without the network (already in the cache)");
  });

  test("has zeros and no role before the package and the session begin", () => {
    const task = taskWith(null, { stage: waiting("starts at noon"), store: null });
    expect(progressOf(task, startMs, counted)).toMatchObject({
      state: "waiting",
      role: "none",
      term: 0,
      bytesTotal: 0,
      bytesVerified: 0,
      from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
      way: "none",
      reasons: [problemReason("starts at noon")],
    });
    expect(progressOf(taskWith(idle()), startMs, counted).role).toBe("none");
  });

  test("cuts a text of the system to the bound of the API", () => {
    const task = taskWith(null, { stage: waiting("x".repeat(5_000)) });
    const report = progressOf(task, startMs, counted);
    expect(report.reasons).toEqual([{ code: "problem", detail: "x".repeat(1_024) }]);
    expect(parse(progressSchema, report)).toEqual(report);
  });
});
