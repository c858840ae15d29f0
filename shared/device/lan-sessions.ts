/**
 * The LAN sessions of a device: opens and seals the frames of every session that it takes part in, over one membership
 * in the multicast group. Sessions join with their key and a listener; frames of others are counted and dropped.
 */
import {
  chunkCipherOf,
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  sessionOf,
  type ChunkCipher,
  type ControlFrame,
  type Crypto,
  type DatagramBatch,
  type DropReason,
  type FrameReceiver,
  type FrameWriter,
  type Incarnation,
  type Received,
  type ReceivedSymbol,
} from "../wire/index.ts";
import type { Clock } from "../model/clock.ts";
import type { Hearing } from "./hearing.ts";
import type { Group } from "./group.ts";

export type LanListener = {
  /** @param sender the sender id in the frame's header: 16 hex digits, new at each start of a process */
  onControl: (frame: ControlFrame, fromAddress: string, sender: string) => void;
  /** @param nowMs monotonic; read once per batch */
  onSymbol?: (symbol: ReceivedSymbol, fromAddress: string, nowMs: number) => void;
};
type Joined = { key: Uint8Array; listeners: Set<LanListener>; writer: FrameWriter };

/** Announcements and requests of other devices come within this time, if they come. */
const recentMs = 5_000;
/** A new incarnation starts long before the sequence numbers of the present one run out. */
const sequencesLeftMin = 1_000_000;

export type LanSessionsOptions = {
  readonly deployment: number;
  readonly crypto: Crypto;
  readonly clock: Clock;
  /** A new sender id, 16 hex digits. */
  readonly newSender: () => string;
};

export class LanSessions {
  readonly dropped = new Map<DropReason, number>();
  readonly #options: LanSessionsOptions;
  readonly #receiver: FrameReceiver;
  readonly #sessions = new Map<string, Joined>();
  readonly #totals = { framesReceived: 0, framesSent: 0, kernelDrops: 0 };
  /** Sessions that are multicasting from this device. */
  readonly #sending = new Set<string>();
  #incarnation: Incarnation;
  #group: Group | null = null;
  /** Since the group was joined: whether this device's own frames came back, and when another's came last. */
  #received: { own: boolean; othersAtMs: number | null } = { own: false, othersAtMs: null };

  constructor(options: LanSessionsOptions) {
    this.#options = options;
    this.#incarnation = createIncarnation(options.newSender());
    this.#receiver = createFrameReceiver({
      crypto: options.crypto,
      deployment: options.deployment,
      ownSender: this.#incarnation.sender,
    });
  }

  /** The group was joined; its datagrams go to `onBatch` from now on. */
  attach(group: Group): void {
    this.detach();
    this.#received = { own: false, othersAtMs: null };
    this.#group = group;
  }

  /** Call before the group is left: counters are read once more. */
  detach(): void {
    const group = this.#group;
    if (!group) return;
    this.#totals.kernelDrops += group.kernelDrops() ?? 0;
    this.#totals.framesReceived += group.counters.framesReceived;
    this.#totals.framesSent += group.counters.framesSent;
    this.#group = null;
  }

  get group(): Group | null {
    return this.#group;
  }

  /** Datagrams lost in full receive buffers since the start; null: the system does not report them. */
  get kernelDrops(): number | null {
    const drops = this.#group ? this.#group.kernelDrops() : 0;
    return drops === null ? null : this.#totals.kernelDrops + drops;
  }

  /** Since the start, on every interface. */
  get framesReceived(): number {
    return this.#totals.framesReceived + (this.#group?.counters.framesReceived ?? 0);
  }

  get framesSent(): number {
    return this.#totals.framesSent + (this.#group?.counters.framesSent ?? 0);
  }

  get hearing(): Hearing {
    const group = this.#group;
    const { own, othersAtMs } = this.#received;
    const isRecent = othersAtMs !== null && this.#options.clock.nowMs() - othersAtMs < recentMs;
    return {
      group: group && group.name,
      own: own ? "heard" : group && group.counters.framesSent > 0 ? "unheard" : "none sent",
      others: isRecent ? "heard" : othersAtMs === null ? "never heard" : "heard before",
    };
  }

  /** Returns the session id. Several listeners may share a session. */
  join(key: Uint8Array, listener: LanListener): string {
    const session = sessionOf(this.#options.crypto, key);
    const joined = this.#sessions.get(session);
    if (joined) joined.listeners.add(listener);
    else {
      this.#receiver.addContext(session, key);
      const writer = this.#writerOf(session, key);
      this.#sessions.set(session, { key, listeners: new Set([listener]), writer });
    }
    return session;
  }

  leave(session: string, listener: LanListener): void {
    const joined = this.#sessions.get(session);
    if (!joined?.listeners.delete(listener) || joined.listeners.size > 0) return;
    this.#sessions.delete(session);
    this.#receiver.removeContext(session);
  }

  /** Number of sessions that share this device's sending, each an equal part of its own rate; at least 1. */
  get sendShares(): number {
    return Math.max(1, this.#sending.size);
  }

  sendBegan(session: string): void {
    this.#sending.add(session);
  }

  sendEnded(session: string): void {
    this.#sending.delete(session);
  }

  /** The cipher of chunks that are multicast in the session of this key. */
  chunkCipher(key: Uint8Array): ChunkCipher {
    const { crypto } = this.#options;
    return chunkCipherOf(crypto, key, sessionOf(crypto, key));
  }

  /** The frame writer of a joined session. Ask again for every batch: the incarnation may change. */
  writer(session: string): FrameWriter {
    const joined = this.#sessions.get(session);
    if (!joined) throw new Error(`session ${session} was not joined`);
    if (joined.writer.remaining < sequencesLeftMin) {
      this.#incarnation = createIncarnation(this.#options.newSender());
      this.#receiver.addOwnSender(this.#incarnation.sender);
      for (const [name, other] of this.#sessions) other.writer = this.#writerOf(name, other.key);
    }
    return joined.writer;
  }

  send(session: string, frame: ControlFrame): void {
    if (this.#group && this.#sessions.has(session)) this.#group.send(this.writer(session).control(frame));
  }

  #writerOf(session: string, key: Uint8Array): FrameWriter {
    const { crypto, deployment } = this.#options;
    return createFrameWriter({ crypto, deployment, session, key, incarnation: this.#incarnation });
  }

  /** Datagrams that arrived together. Their bytes may be overwritten when the call returns. */
  onBatch(batch: DatagramBatch): void {
    const nowMs = this.#options.clock.nowMs();
    this.#receiver.receiveBatch(batch, (received, index) => {
      if (received.kind === "symbol") this.#onSymbol(received, batch.fromAddress(index), nowMs);
      else this.#onOther(received, batch.fromAddress(index), nowMs);
    });
  }

  #onOther(received: Exclude<Received, ReceivedSymbol>, fromAddress: string, nowMs: number): void {
    if (received.kind === "dropped" && received.reason === "own") this.#received.own = true;
    else this.#received.othersAtMs = nowMs;
    if (received.kind === "dropped") {
      this.dropped.set(received.reason, (this.dropped.get(received.reason) ?? 0) + 1);
      return;
    }
    for (const listener of this.#sessions.get(received.header.session)?.listeners ?? [])
      listener.onControl(received.frame, fromAddress, received.header.sender);
  }

  /** A function of its own: what runs for every datagram stays short, so that little is compiled for it. */
  #onSymbol(symbol: ReceivedSymbol, fromAddress: string, nowMs: number): void {
    this.#received.othersAtMs = nowMs;
    const joined = this.#sessions.get(symbol.session);
    if (joined === undefined) return;
    for (const listener of joined.listeners) listener.onSymbol?.(symbol, fromAddress, nowMs);
  }
}
