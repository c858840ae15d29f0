/**
 * The LAN sessions of a device: seals and opens the frames of all its sessions, over one membership
 * in the multicast group. A session joins with its key and a listener. Frames of unknown sessions
 * are counted and dropped.
 */
import {
  chunkCipherOf,
  createFrameReceiver,
  createFrameWriter,
  limits,
  sessionOf,
  type ChunkCipher,
  type ControlFrame,
  type Crypto,
  type DatagramBatch,
  type DropReason,
  type FrameReceiver,
  type FrameWriter,
  type Received,
  type ReceivedSymbol,
} from "../wire/index.ts";
import { BugError } from "../model/assert.ts";
import type { Clock } from "../model/clock.ts";
import type { GroupReception } from "./group-reception.ts";
import type { Group, GroupCounters } from "./group.ts";
import { SenderLife, type SenderLifeOptions } from "./sender-life.ts";

export type LanListener = {
  /**
   * @param sender the sender id in the frame's header: 16 hex digits, changed by the sender from
   *   time to time (sender-life.ts)
   */
  onControl: (frame: ControlFrame, fromAddress: string, sender: string) => void;
  /** @param nowMs monotonic; read once per batch */
  onSymbol?: (symbol: ReceivedSymbol, fromAddress: string, nowMs: number) => void;
};
type Joined = { key: Uint8Array; listeners: Set<LanListener>; writer: FrameWriter };

/** Age up to which a frame counts as recent; announcements arrive more often than this. */
const recentMs = 5_000;
/** Sequence numbers left at which a new incarnation starts, long before they run out. */
const sequencesLeftMin = 1_000_000;

export type LanSessionsOptions = SenderLifeOptions & {
  readonly deployment: number;
  readonly crypto: Crypto;
  readonly clock: Clock;
};

export class LanSessions {
  /** Dropped frames by reason, since the start. */
  readonly dropped = new Map<DropReason, number>();
  readonly #options: LanSessionsOptions;
  readonly #receiver: FrameReceiver;
  readonly #sessions = new Map<string, Joined>();
  /** Counters of the groups that were left. */
  readonly #left: GroupCounters = { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 };
  #kernelDropsLeft = 0;
  /** Sessions that are multicasting from this device. */
  readonly #sending = new Set<string>();
  readonly #sender: SenderLife;
  #group: Group | null = null;
  /**
   * Since the group was joined: whether own frames were looped back, and when the last frame of
   * another device arrived.
   */
  #received: { own: boolean; othersAtMs: number | null } = { own: false, othersAtMs: null };

  constructor(options: LanSessionsOptions) {
    this.#options = options;
    this.#sender = new SenderLife(options);
    this.#receiver = createFrameReceiver({
      crypto: options.crypto,
      deployment: options.deployment,
      ownSender: this.#sender.incarnation.sender,
    });
  }

  /**
   * Uses a group that was joined, under a new sender id. Its datagrams have to go to `onBatch`.
   */
  attach(group: Group): void {
    this.detach();
    this.#renewSender();
    this.#received = { own: false, othersAtMs: null };
    this.#group = group;
  }

  /** Stops using the group, before it is left, and reads its counters a last time. */
  detach(): void {
    const group = this.#group;
    if (!group) return;
    this.#kernelDropsLeft += group.kernelDrops() ?? 0;
    Object.assign(this.#left, this.counters);
    this.#group = null;
  }

  /** Payload of the longest symbol that the interface carries. */
  get symbolMaxBytes(): number {
    return this.#group?.symbolMaxBytes ?? limits.symbolUsualBytes;
  }

  get group(): Group | null {
    return this.#group;
  }

  /** Datagrams dropped at a full receive buffer since the start; null if not reported. */
  get kernelDrops(): number | null {
    const drops = this.#group ? this.#group.kernelDrops() : 0;
    return drops === null ? null : this.#kernelDropsLeft + drops;
  }

  /** Counters since the start, on all interfaces. */
  get counters(): GroupCounters {
    const left = this.#left;
    const now = this.#group?.counters;
    return {
      framesSent: left.framesSent + (now?.framesSent ?? 0),
      framesReceived: left.framesReceived + (now?.framesReceived ?? 0),
      receiveCalls: left.receiveCalls + (now?.receiveCalls ?? 0),
      messagesReceived: left.messagesReceived + (now?.messagesReceived ?? 0),
    };
  }

  get reception(): GroupReception {
    const group = this.#group;
    const { own, othersAtMs } = this.#received;
    const { symbolMaxBytes } = this;
    const isRecent = othersAtMs !== null && this.#options.clock.nowMs() - othersAtMs < recentMs;
    return {
      group: group && group.name,
      symbolMaxBytes,
      own: own ? "received" : group && group.counters.framesSent > 0 ? "not received" : "none sent",
      others: isRecent ? "received" : othersAtMs === null ? "never received" : "received before",
    };
  }

  /** Returns the session id of a key, without joining. */
  sessionOf(key: Uint8Array): string {
    return sessionOf(this.#options.crypto, key);
  }

  /**
   * Joins a session, which several listeners may share.
   * @param key 16 bytes
   * @returns the session id
   */
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

  /** Number of sessions that multicast from this device, at least 1; each gets an equal share. */
  get sendShares(): number {
    return Math.max(1, this.#sending.size);
  }

  sendBegan(session: string): void {
    this.#sending.add(session);
  }

  sendEnded(session: string): void {
    this.#sending.delete(session);
  }

  /** Returns the cipher of the chunks that are multicast in the session of this key. */
  chunkCipher(key: Uint8Array): ChunkCipher {
    const { crypto } = this.#options;
    return chunkCipherOf(crypto, key, sessionOf(crypto, key));
  }

  /**
   * Returns the frame writer of a joined session. Callers get it again for every batch, because the
   * incarnation may change.
   */
  writer(session: string): FrameWriter {
    const joined = this.#sessions.get(session);
    if (!joined) throw new BugError(`session ${session} was not joined`);
    if (joined.writer.remaining < sequencesLeftMin || this.#sender.isDue) this.#renewSender();
    return joined.writer;
  }

  #renewSender(): void {
    this.#sender.renew();
    this.#receiver.addOwnSender(this.#sender.incarnation.sender);
    for (const [name, joined] of this.#sessions) joined.writer = this.#writerOf(name, joined.key);
  }

  /** Multicasts a control frame; does nothing without a group or after `leave`. */
  send(session: string, frame: ControlFrame): void {
    if (this.#group && this.#sessions.has(session)) this.#group.send(this.writer(session).control(frame));
  }

  #writerOf(session: string, key: Uint8Array): FrameWriter {
    const { crypto, deployment } = this.#options;
    return createFrameWriter({ crypto, deployment, session, key, incarnation: this.#sender.incarnation });
  }

  /**
   * Processes datagrams that arrived together. Their bytes are valid until the call returns.
   * @throws what a listener threw first, after all datagrams: an error of one session hinders no
   *   other
   */
  onBatch(batch: DatagramBatch): void {
    const nowMs = this.#options.clock.nowMs();
    const errors: unknown[] = [];
    this.#receiver.receiveBatch(batch, (received, index) => {
      try {
        if (received.kind === "symbol") this.#onSymbol(received, batch.fromAddress(index), nowMs);
        else this.#onControlOrDrop(received, batch.fromAddress(index), nowMs);
      } catch (error) {
        errors.push(error);
      }
    });
    if (errors.length > 0) throw errors[0];
  }

  #onControlOrDrop(received: Exclude<Received, ReceivedSymbol>, fromAddress: string, nowMs: number): void {
    if (received.kind === "dropped" && received.reason === "own") this.#received.own = true;
    else this.#received.othersAtMs = nowMs;
    if (received.kind === "dropped") {
      this.dropped.set(received.reason, (this.dropped.get(received.reason) ?? 0) + 1);
      return;
    }
    for (const listener of this.#sessions.get(received.header.session)?.listeners ?? [])
      listener.onControl(received.frame, fromAddress, received.header.sender);
  }

  /** A separate function: code that runs for every datagram stays short, and compiles quickly. */
  #onSymbol(symbol: ReceivedSymbol, fromAddress: string, nowMs: number): void {
    this.#received.othersAtMs = nowMs;
    const joined = this.#sessions.get(symbol.session);
    if (joined === undefined) return;
    for (const listener of joined.listeners) listener.onSymbol?.(symbol, fromAddress, nowMs);
  }
}
