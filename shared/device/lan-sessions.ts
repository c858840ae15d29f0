/**
 * The agent's voice and ears on the LAN: seals and opens frames for every session the device takes part in, over one
 * multicast bus. Sessions join with their key and a listener; everything that is not theirs is counted and dropped.
 */
import { randomBytes } from "node:crypto";
import { nodeCrypto } from "../net/seal/aead.ts";
import { receiveBufferAdvice } from "../net/lan/receive-buffer.ts";
import { openLanBus, type LanBus } from "../net/lan/lan-bus.ts";
import { formatGroup, type Group } from "../net/lan/multicast-group.ts";
import {
  chunkCipherOf,
  createFrameReceiver,
  createFrameSender,
  createIncarnation,
  sessionOf,
  type ChunkCipher,
  type ControlFrame,
  type DatagramBatch,
  type DropReason,
  type FrameReceiver,
  type FrameSender,
  type Incarnation,
  type Received,
  type ReceivedSymbol,
} from "../wire/index.ts";

import type { Hearing } from "./hearing.ts";

export type LanListener = {
  /** @param sender the sender's name in the frame's header: 16 hex digits, new at each start of a process */
  onControl: (frame: ControlFrame, fromAddress: string, sender: string) => void;
  /** @param nowMs by `performance.now()`, which is asked once for what came together */
  onSymbol?: (symbol: ReceivedSymbol, fromAddress: string, nowMs: number) => void;
};
type Joined = { key: Uint8Array; listeners: Set<LanListener>; sender: FrameSender };

/** Announcements and what peers ask come within this time, if they come. */
const heardMs = 5_000;
/** A new incarnation long before the sequences run out. */
const remainingMin = 1_000_000;

export class LanSessions {
  readonly dropped = new Map<DropReason, number>();
  readonly #deployment: number;
  readonly #receiver: FrameReceiver;
  readonly #sessions = new Map<string, Joined>();
  readonly #onError: (error: unknown) => void;
  #incarnation: Incarnation;
  #bus: LanBus | null = null;
  /** Sessions that are multicasting from this device. */
  readonly #sending = new Set<string>();
  #heardBefore = 0;
  #sentBefore = 0;
  /** Since the group was joined. */
  #ownHeard = false;
  #othersHeardAtMs: number | null = null;
  readonly #receiveBufferBytes: number;
  readonly #onAdvice: (advice: string) => void;
  #dropsBefore = 0;
  #isAdvised = false;

  /** @param options.onAdvice what the administrator of this device should do about its receive buffer */
  constructor(options: {
    deployment: number;
    receiveBufferBytes: number;
    onAdvice: (advice: string) => void;
    onError: (error: unknown) => void;
  }) {
    this.#receiveBufferBytes = options.receiveBufferBytes;
    this.#onAdvice = options.onAdvice;
    this.#deployment = options.deployment;
    this.#onError = options.onError;
    this.#incarnation = createIncarnation(randomBytes(8).toString("hex"));
    this.#receiver = createFrameReceiver({
      crypto: nodeCrypto,
      deployment: options.deployment,
      ownSender: this.#incarnation.sender,
    });
  }

  /** Leaves the group where it was joined before. @throws LanBusError */
  async open(interfaceAddress: string, group: Group): Promise<void> {
    this.close();
    this.#ownHeard = false;
    this.#othersHeardAtMs = null;
    this.#bus = await openLanBus({
      interfaceAddress,
      group,
      receiveBufferBytes: this.#receiveBufferBytes,
      onBatch: (batch) => this.#onBatch(batch),
      onError: this.#onError,
    });
    this.#adviseOnBuffer(this.#bus.receiveBufferBytes);
  }

  #adviseOnBuffer(givenBytes: number): void {
    const advice = receiveBufferAdvice(this.#receiveBufferBytes, givenBytes);
    // Once: another interface does not change the system's limit.
    if (advice !== null && !this.#isAdvised) this.#onAdvice(advice);
    this.#isAdvised = true;
  }

  /** Datagrams lost in full receive buffers since the start; read from the system. Null: it does not tell. */
  get kernelDrops(): number | null {
    const drops = this.#bus ? this.#bus.kernelDrops() : 0;
    return drops === null ? null : this.#dropsBefore + drops;
  }

  /** On every interface since the start. */
  get framesHeard(): number {
    return this.#heardBefore + (this.#bus?.counters.framesReceived ?? 0);
  }

  get framesSent(): number {
    return this.#sentBefore + (this.#bus?.counters.framesSent ?? 0);
  }

  get hearing(): Hearing {
    const bus = this.#bus;
    const sinceMs =
      this.#othersHeardAtMs === null ? Number.POSITIVE_INFINITY : performance.now() - this.#othersHeardAtMs;
    return {
      group: bus && formatGroup(bus.group),
      own: this.#ownHeard ? "heard" : bus && bus.counters.framesSent > 0 ? "unheard" : "none sent",
      others:
        sinceMs < heardMs ? "heard" : sinceMs < Number.POSITIVE_INFINITY ? "heard before" : "never heard",
    };
  }

  get bus(): LanBus | null {
    return this.#bus;
  }

  /** Returns the session's name. Several listeners may share a session. */
  join(key: Uint8Array, listener: LanListener): string {
    const session = sessionOf(nodeCrypto, key);
    const joined = this.#sessions.get(session);
    if (joined) joined.listeners.add(listener);
    else {
      this.#receiver.addContext(session, key);
      this.#sessions.set(session, {
        key,
        listeners: new Set([listener]),
        sender: this.#senderOf(session, key),
      });
    }
    return session;
  }

  leave(session: string, listener: LanListener): void {
    const joined = this.#sessions.get(session);
    if (!joined?.listeners.delete(listener) || joined.listeners.size > 0) return;
    this.#sessions.delete(session);
    this.#receiver.removeContext(session);
  }

  /** Among so many sessions this device's sending is shared, each an equal part of its own rate. */
  get sendShares(): number {
    return Math.max(1, this.#sending.size);
  }

  sendBegan(session: string): void {
    this.#sending.add(session);
  }

  sendEnded(session: string): void {
    this.#sending.delete(session);
  }

  /** Of the chunks that are multicast in the session of this key. */
  chunkCipher(key: Uint8Array): ChunkCipher {
    return chunkCipherOf(nodeCrypto, key, sessionOf(nodeCrypto, key));
  }

  /** The sender of a joined session; take it anew for every batch. */
  sender(session: string): FrameSender {
    const joined = this.#sessions.get(session);
    if (!joined) throw new Error(`session ${session} was not joined`);
    if (joined.sender.remaining < remainingMin) {
      this.#incarnation = createIncarnation(randomBytes(8).toString("hex"));
      this.#receiver.addOwnSender(this.#incarnation.sender);
      for (const [name, other] of this.#sessions) other.sender = this.#senderOf(name, other.key);
    }
    return joined.sender;
  }

  send(session: string, frame: ControlFrame): void {
    if (this.#bus && this.#sessions.has(session)) this.#bus.send(this.sender(session).control(frame));
  }

  close(): void {
    const bus = this.#bus;
    if (!bus) return;
    // With the socket its row in the kernel's table goes.
    this.#dropsBefore += bus.kernelDrops() ?? 0;
    this.#bus = null;
    bus.close();
    this.#heardBefore += bus.counters.framesReceived;
    this.#sentBefore += bus.counters.framesSent;
  }

  #senderOf(session: string, key: Uint8Array): FrameSender {
    return createFrameSender({
      crypto: nodeCrypto,
      deployment: this.#deployment,
      session,
      key,
      incarnation: this.#incarnation,
    });
  }

  #onBatch(batch: DatagramBatch): void {
    const nowMs = performance.now();
    this.#receiver.receiveBatch(batch, (received, index) => {
      if (received.kind === "symbol") this.#symbol(received, batch.fromAddress(index), nowMs);
      else this.#controlOrNothing(received, batch.fromAddress(index));
    });
  }

  #controlOrNothing(received: Exclude<Received, ReceivedSymbol>, fromAddress: string): void {
    if (received.kind === "dropped" && received.reason === "own") this.#ownHeard = true;
    else this.#othersHeardAtMs = performance.now();
    if (received.kind === "dropped") {
      this.dropped.set(received.reason, (this.dropped.get(received.reason) ?? 0) + 1);
      return;
    }
    for (const listener of this.#sessions.get(received.header.session)?.listeners ?? [])
      listener.onControl(received.frame, fromAddress, received.header.sender);
  }

  /** Apart: what runs for every datagram of a package stays short, and little is compiled for it. */
  #symbol(symbol: ReceivedSymbol, fromAddress: string, nowMs: number): void {
    this.#othersHeardAtMs = nowMs;
    const joined = this.#sessions.get(symbol.session);
    if (joined === undefined) return;
    for (const listener of joined.listeners) listener.onSymbol?.(symbol, fromAddress, nowMs);
  }
}
