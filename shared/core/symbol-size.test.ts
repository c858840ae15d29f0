/** Symbol sizes in sessions with links of several MTUs, from one step to whole sessions. */
import { describe, expect, test } from "bun:test";
import { ChunkSet } from "../model/chunk-set.ts";
import type { ControlFrame, FrameOf } from "../wire/index.ts";
import { unicastReasonOf } from "./delivery/delivery-mode.ts";
import type { Effect } from "./events.ts";
import type { Member } from "./member.ts";
import { step } from "./step.ts";
import { TestSubnet } from "./testing.ts";
import { announceForTest, memberForTest } from "./testing-member.ts";
import { timing } from "./timing.ts";

const other = "00000000000000bb";
const chunkCount = 8;

const seekOf = (device: string, symbolMaxBytes: number, missing = [0, chunkCount]): ControlFrame => ({
  type: "seek",
  device,
  haveCount: 0,
  missing,
  lanPort: 7_000,
  term: 1,
  symbolMaxBytes,
});

const received = (member: Member, frame: ControlFrame, nowMs: number): Effect[] =>
  step(member, { type: "FrameReceived", frame, from: { address: "10.0.0.2", sender: frame.device } }, nowMs);

const framesOf = <T extends ControlFrame["type"]>(effects: readonly Effect[], type: T): FrameOf<T>[] =>
  effects.flatMap((effect) =>
    effect.do === "SendFrame" && effect.frame.type === type ? [effect.frame as FrameOf<T>] : [],
  );
const announcedBytes = (effects: readonly Effect[]): number[] =>
  framesOf(effects, "announce").map(({ symbolSizeBytes }) => symbolSizeBytes);

/** A representative of term 1 since 1,000 ms that holds everything. */
function representative(symbolMaxBytes: () => number, ...frames: ControlFrame[]): Member {
  const member = memberForTest({ held: ChunkSet.full(chunkCount), symbolMaxBytes });
  step(member, { type: "Started" }, 0);
  // A candidate that receives nobody lets others go first.
  for (const frame of [seekOf(other, 1_400, []), ...frames]) received(member, frame, 100);
  step(member, { type: "TimerFired" }, 1_000);
  step(member, { type: "LeaseAnswered", answer: { result: "granted", term: 1, before: null } }, 1_000);
  expect(member.role).toBe("representative");
  return member;
}

const need = (device: string, symbolSizeBytes: number): ControlFrame => ({
  type: "need",
  device,
  term: 1,
  pass: 99,
  entries: [3, 0, 5, 3, 1, 6],
  lanPort: 1,
  symbolSizeBytes,
});

describe("a representative", () => {
  test.each([
    [1_400, [], 1_400],
    [1_304, [], 1_304],
    [8_904, [8_904, 1_400], 1_400],
    [1_400, [8_904], 1_400],
    [1_400, [480], 480],
    // Below an MTU of 576 a device does not slow down the others.
    [1_400, [16], 480],
  ])("that can send %d bytes to listeners of %j sends %d", (own, listeners, sent) => {
    const member = representative(
      () => own,
      ...listeners.map((bytes, i) => seekOf(`${i}`.repeat(16), bytes)),
    );
    expect(member.sendSymbolBytes).toBe(sent);
  });

  test("announces shorter symbols at once when a device joins that receives no longer ones", () => {
    const member = representative(() => 1_400, seekOf(other, 1_400));
    const effects = received(member, seekOf("00000000000000cc", 1_304), 1_010);
    expect(effects).toContainEqual({ do: "SymbolsShortened", fromBytes: 1_400, toBytes: 1_304 });
    expect(announcedBytes(effects)).toEqual([1_304]);
    // The size never rises: receivers have symbols of it.
    received(member, seekOf("00000000000000cc", 1_304, []), 1_020);
    expect(member.sendSymbolBytes).toBe(1_304);
  });

  test("announces shorter symbols at once when its own MTU falls", () => {
    let own = 1_400;
    const member = representative(() => own, seekOf(other, 1_400));
    step(member, { type: "TimerFired" }, 1_010);
    own = 1_184;
    expect(announcedBytes(step(member, { type: "TimerFired" }, 1_020))).toEqual([1_184]);
    own = 1_400;
    step(member, { type: "TimerFired" }, 1_030);
    expect(member.sendSymbolBytes).toBe(1_184);
  });

  test("takes NACKs that count symbols of another size as requests for whole chunks", () => {
    const member = representative(() => 1_400, seekOf(other, 1_400), seekOf("00000000000000cc", 1_304));
    for (let sent = 0; sent < chunkCount; sent++) member.nextToSend(10_000);
    expect(member.nextToSend(10_000)).toBeNull();
    step(member, { type: "TimerFired" }, 10_000);
    received(member, need(other, 1_400), 10_100);
    received(member, need("00000000000000cc", 1_400), 10_100);
    step(member, { type: "TimerFired" }, 10_500);
    expect(member.nextToSend(10_500)).toEqual({ kind: "chunk", chunk: 3 });
    // The END that names the chunk.
    expect(member.nextToSend(10_600)).toBeNull();
    step(member, { type: "TimerFired" }, 10_700);
    received(member, need(other, 1_304), 10_800);
    step(member, { type: "TimerFired" }, 11_200);
    expect(member.nextToSend(11_200)).toMatchObject({ kind: "repair", chunk: 3 });
  });

  test("asks a device that it forgot and that reports", () => {
    const member = representative(() => 1_400, seekOf(other, 1_400));
    const report = { term: 1, pass: 1, lossPermille: 0, queuedMs: 0 };
    expect(framesOf(received(member, { type: "report", device: other, ...report }, 1_010), "ask")).toEqual(
      [],
    );
    const unknown = "00000000000000dd";
    const effects = received(member, { type: "report", device: unknown, ...report }, 1_010);
    expect(framesOf(effects, "ask")).toMatchObject([{ toDevice: unknown, term: 1 }]);
  });
});

const ask = (toDevice: string): ControlFrame => ({ type: "ask", device: other, term: 1, toDevice });

/** A peer of `other` since 100 ms, which announces symbols of this size. */
function peer(symbolMaxBytes: () => number, symbolSizeBytes: number): Member {
  const member = memberForTest({ held: new ChunkSet(chunkCount), symbolMaxBytes });
  step(member, { type: "Started" }, 0);
  received(member, announceForTest({ device: other, term: 1, symbolSizeBytes }), 100);
  expect(member.role).toBe("peer");
  return member;
}

const reasonOf = ({ state }: Member): string =>
  state.role === "peer" ? unicastReasonOf(state.delivery) : "";

/** Announces sent chunks every second, of which no symbol arrives; returns all effects. */
function castInVain(member: Member, symbolSizeBytes: number, seconds: number, fromMs = 1_100): Effect[] {
  const effects: Effect[] = [];
  for (let i = 0; i < seconds; i++) {
    const nowMs = fromMs + i * timing.announceEveryMs;
    const castCount = Math.min(chunkCount, i + 1);
    const announced = { phase: 1, castCount, frontCount: chunkCount, symbolSizeBytes };
    effects.push(...received(member, announceForTest({ device: other, term: 1, ...announced }), nowMs));
    for (let later = 50; later < timing.announceEveryMs; later += 50)
      effects.push(...step(member, { type: "TimerFired" }, nowMs + later));
  }
  return effects;
}

describe("a peer", () => {
  test("states its size until the representative sends what fits, and is on unicast meanwhile", () => {
    const member = peer(() => 1_304, 1_400);
    const effects = castInVain(member, 1_400, 6);
    const stated = framesOf(effects, "seek").map(({ symbolMaxBytes }) => symbolMaxBytes);
    expect(stated.length).toBeGreaterThan(1);
    expect(new Set(stated)).toEqual(new Set([1_304]));
    expect(reasonOf(member)).toBe("oversized");
    castInVain(member, 1_304, 1, 8_000);
    expect(reasonOf(member)).toBe("");
  });

  test("states its size again when its MTU falls", () => {
    let own = 1_400;
    const member = peer(() => own, 1_400);
    const quiet = castInVain(member, 1_400, 1);
    expect(framesOf(quiet, "seek")).toHaveLength(1);
    own = 1_184;
    const [seek] = framesOf(step(member, { type: "TimerFired" }, 2_100), "seek");
    expect(seek?.symbolMaxBytes).toBe(1_184);
  });

  test("states the usual size where a switch carries no jumbo frames, before it uses unicast", () => {
    const member = peer(() => 8_904, 8_904);
    const effects = castInVain(member, 8_904, 5);
    expect(framesOf(effects, "seek").map(({ symbolMaxBytes }) => symbolMaxBytes)).toEqual([
      8_904, 1_400, 1_400,
    ]);
    expect(reasonOf(member)).toBe("");
    castInVain(member, 1_400, 6, 7_000);
    expect(reasonOf(member)).toBe("no-data");
  });

  test("answers when it is asked whether it is still there, also after it is complete", () => {
    const member = peer(() => 1_400, 1_400);
    castInVain(member, 1_400, 1);
    received(member, ask("00000000000000ff"), 2_200);
    const after = (fromMs: number): Effect[] =>
      [0, 50, 100, 150].flatMap((ms) => step(member, { type: "TimerFired" }, fromMs + ms));
    expect(framesOf(after(2_200), "seek")).toEqual([]);
    received(member, ask(member.config.device), 2_400);
    expect(framesOf(after(2_400), "seek")).toMatchObject([{ missing: [0, chunkCount] }]);
    for (let chunk = 0; chunk < chunkCount; chunk++) member.config.held.add(chunk);
    step(member, { type: "PackageVerified" }, 2_600);
    expect(framesOf(received(member, ask(member.config.device), 2_700), "seek")).toMatchObject([
      { missing: [] },
    ]);
  });

  test("that leaves says that it is missing nothing", () => {
    const member = peer(() => 1_400, 1_400);
    const effects = step(member, { type: "Stopped", reason: "cancelled" }, 1_000);
    expect(framesOf(effects, "seek")).toMatchObject([{ missing: [], haveCount: 0 }]);
  });
});

/** Chunks by multicast of each device that did not download. */
const multicastChunks = (subnet: TestSubnet): number[] =>
  subnet.devices.filter(({ from }) => from.wan === 0).map(({ from }) => from.multicast);

describe("a subnet", () => {
  test.each([1, 2, 3])("seed %d: with one short link gets everything by multicast", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, useDeputy: false });
    subnet.devices[3]!.machine.faults.symbolMaxBytes = 480;
    subnet.start();
    expect(subnet.run(60_000)).toBe(true);
    expect(multicastChunks(subnet)).toEqual([40, 40, 40]);
    // 18 symbols of 480 bytes instead of 10 of 820.
    expect(subnet.symbolsSent).toBe(40 * 18);
  });

  test.each([1, 2, 3])("seed %d: whose MTU falls in the middle continues by multicast", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, useDeputy: false });
    subnet.start();
    expect(subnet.run(60_000, () => subnet.symbolsSent > 150)).toBe(true);
    for (const { machine } of subnet.devices) machine.faults.symbolMaxBytes = 480;
    expect(subnet.run(60_000)).toBe(true);
    for (const chunks of multicastChunks(subnet)) expect(chunks).toBeGreaterThanOrEqual(38);
  });

  test.each([1, 2, 3])("seed %d: keeps its symbol size over a failover", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, useDeputy: false });
    subnet.devices[3]!.machine.faults.symbolMaxBytes = 480;
    subnet.start();
    expect(subnet.run(60_000, () => subnet.symbolsSent > 300)).toBe(true);
    subnet.kill(subnet.devices.indexOf(subnet.representatives[0]!));
    expect(subnet.run(60_000)).toBe(true);
    const left = subnet.devices.filter(({ isUp }) => isUp);
    for (const { from } of left) expect(from.multicast + from.wan).toBeGreaterThanOrEqual(38);
  });

  test.each([1, 2, 3])("seed %d: of which all others were switched off gets no multicast", (seed) => {
    const subnet = new TestSubnet({ seed, devices: 4, chunkCount: 400, useDeputy: false });
    subnet.start();
    expect(subnet.run(60_000, () => subnet.symbolsSent > 300)).toBe(true);
    const leader = subnet.representatives[0]!;
    for (const [index, device] of subnet.devices.entries()) if (device !== leader) subnet.kill(index);
    const forgottenMs = timing.askSilentMs + 3 * timing.askSilentPerDeviceMs + 4 * timing.askEveryMs;
    subnet.run(forgottenMs, () => false);
    const sent = subnet.symbolsSent;
    expect(sent).toBeLessThan(3_000);
    subnet.run(10_000, () => false);
    expect(subnet.symbolsSent).toBe(sent);
  });
});
