/**
 * A subnet in memory, for tests: members on a virtual network with a virtual clock, a lease, a web site and lossy
 * multicast, driven by one seed. The decisions are the real ones; only the world is made up. Frames pass through the
 * real encoder and decoder, symbols through the real erasure code and reception.
 */
import { blockLayout, createErasureCode } from "../fec/index.ts";
import { decodeControl } from "../wire/decode.ts";
import { encodeControl } from "../wire/encode.ts";
import type { ControlFrame } from "../wire/frames.ts";
import { WantResponder } from "./peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Holder } from "./peers/holders.ts";
import { Member } from "./member.ts";
import type { Effect, FallbackAnswer, LeaseAnswer, MemberEvent } from "./events.ts";
import { Reassembly } from "./reassembly/reassembly.ts";
import { step, wakeAtMs } from "./step.ts";
import type { Rank } from "./election/rank.ts";
import { timing } from "./timing.ts";
import { VirtualClock } from "../simulation/clock.ts";
import { seededRandom } from "../model/random.ts";

export const chunkLengthBytes = 14_000;
const symbolSizeBytes = 1_400;
const layout = blockLayout(chunkLengthBytes, symbolSizeBytes);
const code = createErasureCode();

export type VirtualDevice = {
  readonly id: string;
  readonly name: string;
  member: Member;
  readonly held: ChunkSet;
  /** Verified chunks by where they came from. */
  readonly from: { wan: number; multicast: number; peers: number };
  state: "up" | "down";
  completeAtMs: number | null;
};
type Inner = VirtualDevice & {
  reception: Reassembly;
  answering: WantResponder;
  wakeAtMs: number;
  wan: boolean;
  casting: boolean;
  polling: boolean;
  /** Symbols since the last SymbolsReceived. */
  heard: number;
  life: number;
};

export type VirtualOptions = {
  seed: number;
  devices: number;
  chunkCount?: number;
  startDelayMs?: number;
  useMulticast?: boolean;
  wanMsPerChunk?: number;
  castMsPerChunk?: number;
  /** From the request for the lease to its answer. */
  leaseMs?: number;
  /** Share of datagrams that each receiver loses on its own. */
  loss?: number;
  rank?: (index: number) => Rank;
};

export class VirtualSubnet {
  /** One line per role change: "time device from→to term: why". */
  readonly history: string[] = [];
  readonly devices: VirtualDevice[];
  wanChunks = 0;
  symbolsSent = 0;
  needFrames = 0;
  /** Null: the source does not answer. */
  lease: { holder: string | null; last: string | null; untilMs: number; term: number } | null = {
    holder: null,
    last: null,
    untilMs: 0,
    term: 0,
  };
  /** The source grants it to nobody any more, for this reason. */
  leaseFailure: string | null = null;
  /** Which multicast datagrams get through, besides the random loss. */
  hears: (from: VirtualDevice, to: VirtualDevice, what: "control" | "symbol") => boolean = () => true;
  /** Who reaches whose LAN exchange. */
  reaches: (from: VirtualDevice, to: VirtualDevice) => boolean = () => true;
  /** Whose LAN exchange gives a wrong chunk. */
  servesWrong: (from: VirtualDevice, chunk: number) => boolean = () => false;
  useMulticast: boolean;
  /** Indexes of devices whose interface is a radio. */
  readonly radios = new Set<number>();
  /** Tokens to download alone that the source gives at a time; null: it does not answer. */
  fallbackTokensMax: number | null = 1;
  /** Devices that download although another one leads, now and at most. */
  readonly alone = { now: new Set<string>(), max: 0 };
  wanFallback: "never" | "last-resort" = "last-resort";
  web: "up" | "down" = "up";
  readonly #inner: Inner[];
  readonly #clock = new VirtualClock();
  readonly #options: Required<VirtualOptions>;
  readonly #random: () => number;

  constructor(options: VirtualOptions) {
    this.#options = {
      chunkCount: 40,
      startDelayMs: 2_000,
      useMulticast: true,
      wanMsPerChunk: 100,
      castMsPerChunk: 10,
      leaseMs: 20,
      loss: 0,
      rank: () => ({ kind: "score", score: 0.3 }),
      ...options,
    };
    this.#random = seededRandom(options.seed);
    this.useMulticast = this.#options.useMulticast;
    this.#inner = Array.from({ length: options.devices }, (_, index) => this.#createDevice(index));
    this.devices = this.#inner;
  }

  #createDevice(index: number): Inner {
    const id = (index + 1).toString(16).padStart(16, "0");
    const held = new ChunkSet(this.#options.chunkCount);
    const device = {
      id,
      name: String.fromCharCode(65 + index),
      held,
      from: { wan: 0, multicast: 0, peers: 0 },
      completeAtMs: null,
    } as Inner;
    this.#reset(device, index);
    return device;
  }

  #reset(device: Inner, index: number): void {
    const { startDelayMs, rank } = this.#options;
    Object.assign(device, {
      state: "down",
      answering: new WantResponder(),
      wakeAtMs: Number.POSITIVE_INFINITY,
      wan: false,
      casting: false,
      polling: false,
      heard: 0,
    });
    device.life = (device.life ?? 0) + 1;
    device.reception = new Reassembly({
      chunkLengthBytes: () => chunkLengthBytes,
      symbolSizeBytes,
      code,
      memoryBytesMax: 1 << 24,
    });
    device.member = new Member({
      device: device.id,
      lanPort: 1_000 + index,
      held: device.held,
      missingSymbols: (chunk, add) => device.reception.missingSymbols(chunk, add),
      currentChunk: () => device.reception.currentChunk,
      sendShares: () => 1,
      rank: () => rank(index),
      random: () => this.random(),
      symbolSizeBytes,
      setting: () => ({
        useMulticast: this.useMulticast,
        receivesMulticast: !this.radios.has(index),
        sessionStartDelayMs: startDelayMs,
        lanRateBps: 100_000_000,
        wanFallback: this.wanFallback,
        useDeputy: true,
      }),
    });
  }

  start(...indexes: number[]): void {
    for (const index of indexes.length > 0 ? indexes : this.#inner.keys()) {
      const device = this.#inner[index]!;
      device.state = "up";
      this.#step(device, { type: "Started" });
    }
  }

  /** The device is gone without a word. What it had verified is still on its disk. */
  kill(index: number): void {
    this.#reset(this.#inner[index]!, index);
    this.history.push(`${this.#stamp()} ${this.#inner[index]!.name} killed`);
  }

  get representatives(): VirtualDevice[] {
    return this.#inner.filter((device) => device.state === "up" && device.member.role === "representative");
  }

  get allComplete(): boolean {
    return this.#inner.every((device) => device.state === "down" || device.held.isFull);
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  random(): number {
    return this.#random();
  }

  /** Runs until `until` holds or the time is over; returns whether it held. */
  run(limitMs: number, until: () => boolean = () => this.allComplete): boolean {
    return this.#clock.run(limitMs, until);
  }

  // ---- the world ----------------------------------------------------------------------------------------------

  /** Runs only if the device still lives the same life. */
  #later(device: Inner, delayMs: number, run: () => void): void {
    const { life } = device;
    this.#clock.at(delayMs, () => {
      if (device.life === life && device.state === "up") run();
    });
  }

  #stamp(): string {
    return `${(this.nowMs / 1_000).toFixed(1).padStart(6)} s`;
  }

  #step(device: Inner, event: MemberEvent): void {
    for (const effect of step(device.member, event, this.nowMs)) this.#carryOut(device, effect);
    const atMs = Math.max(wakeAtMs(device.member, this.nowMs), this.nowMs + 1);
    if (!Number.isFinite(atMs)) return;
    device.wakeAtMs = atMs;
    this.#later(device, atMs - this.nowMs, () => {
      if (device.wakeAtMs === atMs) this.#step(device, { type: "TimerFired" });
    });
  }

  #carryOut(device: Inner, effect: Effect): void {
    switch (effect.do) {
      case "SendFrame":
        return this.#send(device, effect.frame, effect.context);
      case "RequestLease":
        return this.#later(device, this.#options.leaseMs, () =>
          this.#step(device, {
            type: "LeaseAnswered",
            answer: this.#leaseAnswer(device, effect.term, effect.query),
          }),
        );
      case "RequestFallback":
        return this.#later(device, this.#options.leaseMs, () =>
          this.#step(device, { type: "FallbackAnswered", answer: this.#fallbackAnswer(device) }),
        );
      case "ReleaseLease":
        if (this.lease?.holder === device.id) this.lease.holder = null;
        return;
      case "StartDownload":
        device.wan = true;
        return this.#download(device);
      case "StopDownload":
        device.wan = false;
        this.alone.now.delete(device.id);
        return;
      case "StartFetch":
        this.#fetch(device);
        return this.#poll(device);
      case "WakeSender":
        if (!device.casting) this.#cast(device);
        return;
      case "RoleChanged":
        this.history.push(
          `${this.#stamp()} ${device.name} ${effect.from}→${effect.to} term ${effect.term}: ${this.#named(effect.why)}`,
        );
        return;
      default:
    }
  }

  #named(text: string): string {
    return text.replace(
      /0{8}[0-9a-f]{8}/g,
      (id) => this.#inner.find((device) => device.id === id)?.name ?? id,
    );
  }

  #leaseAnswer(device: Inner, term: number, query: boolean): LeaseAnswer {
    const { lease } = this;
    if (!lease) return { result: "unreachable" };
    if (this.leaseFailure !== null)
      return { result: "failed", reason: this.leaseFailure, retryAfterMs: 300_000 };
    const isSucceeded = term > lease.term && this.nowMs - (lease.untilMs - 15_000) >= 4_500;
    if (lease.holder !== null && lease.holder !== device.id && this.nowMs < lease.untilMs && !isSucceeded) {
      const { device: deviceId, ...place } = this.#holderOf(lease.holder);
      return { result: "refused", holder: { deviceId, ...place, term: lease.term } };
    }
    if (query) return { result: "free" };
    const before = lease.last === null || lease.last === device.id ? null : this.#holderOf(lease.last);
    this.lease = {
      holder: device.id,
      last: device.id,
      untilMs: this.nowMs + 15_000,
      term: Math.max(term, lease.term),
    };
    return { result: "granted", term: this.lease.term, before };
  }

  #holderOf(id: string): Holder {
    const index = this.#inner.findIndex((other) => other.id === id);
    return { device: id, address: this.#inner[index]!.name, lanPort: 1_000 + index };
  }

  #fallbackAnswer(device: Inner): FallbackAnswer {
    if (this.fallbackTokensMax === null) return { result: "unreachable" };
    const { now } = this.alone;
    if (!now.has(device.id) && now.size >= this.fallbackTokensMax)
      return { result: "refused", retryAfterMs: 10_000 };
    now.add(device.id);
    this.alone.max = Math.max(this.alone.max, now.size);
    return { result: "granted" };
  }

  #send(device: Inner, sent: ControlFrame, context: "task" | "package"): void {
    const bytes = encodeControl(sent);
    if (sent.type === "need") this.needFrames++;
    for (const other of this.#inner) {
      if (other === device || !this.hears(device, other, "control") || this.random() < this.#options.loss)
        continue;
      this.#later(other, 1 + this.random(), () => {
        const frame = decodeControl(sent.type, bytes)!;
        if (context === "package") this.#hearPackage(other, frame);
        if (frame.type === "end") this.#sayHeard(other);
        this.#step(other, {
          type: "FrameReceived",
          frame,
          from: { address: device.name, sender: device.id },
        });
      });
    }
  }

  #hearPackage(device: Inner, frame: ControlFrame): void {
    if (frame.type === "have") device.answering.onHave(frame.toDevice);
    if (frame.type !== "want") return;
    const wanted = ChunkSet.fromRanges(device.held.size, frame.ranges);
    if (!wanted || wanted.overlap(device.held) === 0) return;
    device.answering.onWant(frame.device, this.nowMs, this.random());
    this.#later(device, timing.feedbackDelayMsMax, () => {
      for (const toDevice of device.answering.takeDue(this.nowMs)) {
        const ranges = device.held.toRanges(100);
        this.#send(
          device,
          {
            type: "have",
            device: device.id,
            ranges,
            load: 0,
            lanPort: device.member.config.lanPort,
            toDevice,
          },
          "package",
        );
      }
    });
  }

  #stored(device: Inner, chunk: number, origin: "wan" | "multicast" | "peers"): void {
    if (!device.held.add(chunk)) return;
    device.from[origin]++;
    device.reception.forget(chunk);
    if (device.held.isFull) device.completeAtMs ??= this.nowMs;
    this.#step(device, { type: "ChunkVerified", chunk });
    if (device.held.isFull) this.#later(device, 50, () => this.#step(device, { type: "PackageVerified" }));
  }

  #download(device: Inner): void {
    if (!device.wan) return;
    const run = device.member.nextDownloadRun(this.nowMs);
    if (!run || this.web === "down") {
      device.wan = false;
      this.alone.now.delete(device.id);
      this.#step(device, { type: "DownloadEnded", failure: run ? "the web site is down" : null });
      return;
    }
    this.#later(device, this.#options.wanMsPerChunk, () => {
      if (!device.wan) return;
      this.wanChunks++;
      this.#stored(device, run.first, "wan");
      this.#download(device);
    });
  }

  #fetch(device: Inner): void {
    for (
      let fetch = device.member.nextFetch(this.nowMs);
      fetch;
      fetch = device.member.nextFetch(this.nowMs)
    ) {
      const { chunk, holder } = fetch;
      const taken = fetch;
      const other = this.#inner.find((each) => each.id === holder.device)!;
      this.#later(device, 5, () => {
        const isReached = other.state === "up" && this.reaches(device, other);
        const isWrong = isReached && this.servesWrong(other, chunk);
        const held = other.held.has(chunk) ? "served" : "not-found";
        const outcome = !isReached ? "failed" : isWrong ? "wrong" : held;
        device.member.holders.finished(taken, outcome, this.nowMs);
        if (isWrong) this.#step(device, { type: "BadChunkReceived", device: other.id });
        if (outcome === "served") this.#stored(device, chunk, "peers");
        this.#fetch(device);
      });
    }
  }

  #poll(device: Inner): void {
    if (device.polling) return;
    device.polling = true;
    const round = (): void => {
      device.polling = device.member.isFetching;
      if (!device.polling) return;
      const target = device.member.pollTarget;
      if (target)
        this.#pollOne(
          device,
          this.#inner.find((each) => each.id === target.device)!,
        );
      this.#fetch(device);
      this.#later(device, timing.pollEveryMs, round);
    };
    this.#later(device, 5, round);
  }

  #pollOne(device: Inner, other: Inner): void {
    const ok = other.state === "up" && this.reaches(device, other);
    if (ok) {
      const peer = { device: device.id, address: device.name, lanPort: device.member.config.lanPort };
      this.#step(other, {
        type: "PeerPolled",
        peer,
        heldRanges: device.held.toRanges(),
        listens: device.member.listens,
      });
      device.member.holders.update(
        { device: other.id, address: other.name, lanPort: other.member.config.lanPort },
        other.held,
        0,
        true,
      );
    }
    const { state } = other.member;
    const leads = ok && state.role === "representative" ? state.term : 0;
    this.#step(device, { type: "ExchangeAnswered", device: other.id, ok, leads });
  }

  #cast(device: Inner): void {
    const item = device.member.nextToSend(this.nowMs);
    device.casting = item !== null;
    if (!item) return;
    if (item.kind === "chunk") {
      for (let symbol = 0; symbol < layout.k(0); symbol++) this.#symbol(device, item.chunk, 0, symbol);
    } else {
      for (const { block, count } of item.blocks) {
        const first = layout.k(block) + Math.floor(this.random() * 100);
        for (let i = 0; i < count; i++) this.#symbol(device, item.chunk, block, first + i);
      }
    }
    this.#later(device, this.#options.castMsPerChunk, () => this.#cast(device));
  }

  #symbol(device: Inner, chunk: number, block: number, symbol: number): void {
    const bytes = contentOf(chunk);
    const k = layout.k(block);
    const payload =
      symbol < k
        ? bytes.subarray(
            layout.symbolOffsetBytes(block, symbol),
            layout.symbolOffsetBytes(block, symbol) + layout.symbolLengthBytes(block, symbol),
          )
        : code.repairSymbols({ bytes, k, symbolSizeBytes }, symbol, 1);
    this.symbolsSent++;
    device.member.onSymbolsSent(1);
    for (const other of this.#inner) {
      if (other === device || other.state === "down") continue;
      if (!this.hears(device, other, "symbol") || this.random() < this.#options.loss) continue;
      other.heard++;
      if (symbol === 0) this.#sayHeard(other);
      if (other.held.has(chunk)) continue;
      if (other.reception.addSymbol(chunk, block, symbol, payload) === "ready") this.#finish(other, chunk);
    }
  }

  #sayHeard(device: Inner): void {
    const count = device.heard;
    if (count === 0) return;
    device.heard = 0;
    this.#step(device, { type: "SymbolsReceived", count });
  }

  #finish(device: Inner, chunk: number): void {
    const bytes = device.reception.take(chunk)!;
    if (Buffer.compare(bytes, contentOf(chunk)) !== 0)
      throw new Error(`device ${device.name} rebuilt chunk ${chunk} wrongly`);
    this.#stored(device, chunk, "multicast");
  }
}

const contents = new Map<number, Uint8Array>();
function contentOf(chunk: number): Uint8Array {
  let bytes = contents.get(chunk);
  if (!bytes) {
    bytes = Uint8Array.from({ length: chunkLengthBytes }, (_, i) => (i * 13 + chunk * 101 + (i >> 7)) & 255);
    contents.set(chunk, bytes);
  }
  return bytes;
}
