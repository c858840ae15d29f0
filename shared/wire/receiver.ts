/**
 * Opens datagrams: finds the session's key, checks replay and seal, decodes. Anything else becomes a counted reason.
 *
 * What it does not do: judge what a frame says. A sender that holds the session's key is believed here; chunk and
 * block numbers are held against the package by whoever stores them.
 */
import { decodeControl, frameTypeOf, headerFault, isSymbol } from "./decode.ts";
import type { ControlFrame, DropReason, FrameHeader, FrameType } from "./frames.ts";
import { identityAt, identityBytes, uint16At, uint32At } from "./identity.ts";
import { associatedBytes, headerAt, headerBytes, nonceBytes, symbolAt, symbolHeadBytes } from "./layout.ts";
import { limits } from "./limits.ts";
import { frameAead, writeNonce, type Aead, type Crypto } from "./seal.ts";
import { KnownSenders, type KnownSender } from "./senders.ts";

export type ReceivedControl = {
  readonly kind: "control";
  readonly header: FrameHeader;
  readonly frame: ControlFrame;
};
export type ReceivedSymbol = {
  readonly kind: "symbol";
  readonly session: string;
  readonly sender: string;
  readonly chunk: number;
  readonly block: number;
  readonly symbol: number;
  /** A view: copy what is to be kept before the next `receive`. */
  readonly payload: Uint8Array;
};
export type Dropped = { readonly kind: "dropped"; readonly reason: DropReason };
export type Received = ReceivedControl | ReceivedSymbol | Dropped;

export type FrameReceiver = {
  /** From now on frames of this session are opened. Adding a session again keeps its senders. */
  addContext(session: string, key: Uint8Array): void;
  /** Its senders and replay windows are forgotten. */
  removeContext(session: string): void;
  /** A new incarnation of this process: its frames come back from the group and are dropped as "own". */
  addOwnSender(sender: string): void;
  /**
   * Total: never throws. For symbols the *same* result object is filled anew at each call, so that the data path
   * allocates nothing per datagram: take its numbers and bytes before the next call.
   */
  receive(datagram: Uint8Array): Received;
};

type Context = { readonly session: string; readonly key: Uint8Array; readonly senders: KnownSenders };
type Opened = { readonly context: Context; readonly known: KnownSender; readonly body: Uint8Array };
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createFrameReceiver(options: {
  readonly crypto: Crypto;
  readonly deployment: number;
  /** This process's own incarnation. */
  readonly ownSender: string;
  /** Senders remembered per session. */
  readonly sendersMax?: number;
}): FrameReceiver {
  return new Receiver(
    options.crypto,
    options.deployment,
    options.ownSender,
    options.sendersMax ?? limits.sendersMax,
  );
}

/** One object per reason, so that a flood of wrong datagrams allocates nothing either. */
const drops = new Map<DropReason, Dropped>();
function dropped(reason: DropReason): Dropped {
  let drop = drops.get(reason);
  if (drop === undefined) drops.set(reason, (drop = { kind: "dropped", reason }));
  return drop;
}

const sameIdentity = (a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean => {
  for (let i = 0; i < 8; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
};

class Receiver implements FrameReceiver {
  readonly #crypto: Crypto;
  readonly #deployment: number;
  readonly #sendersMax: number;
  readonly #own: Uint8Array[] = [];
  readonly #contexts = new Map<string, Context>();
  readonly #nonce = new Uint8Array(nonceBytes);
  /** Session and sender of the last opened frame: most frames come from the sender of the one before. */
  readonly #lastSession = new Uint8Array(8);
  readonly #lastSender = new Uint8Array(8);
  #last: { readonly context: Context; readonly known: KnownSender } | null = null;
  readonly #symbol: Mutable<ReceivedSymbol> = {
    kind: "symbol",
    session: "",
    sender: "",
    chunk: 0,
    block: 0,
    symbol: 0,
    payload: new Uint8Array(0),
  };

  constructor(crypto: Crypto, deployment: number, ownSender: string, sendersMax: number) {
    this.#crypto = crypto;
    this.#deployment = deployment;
    this.#sendersMax = sendersMax;
    this.addOwnSender(ownSender);
  }

  addContext(session: string, key: Uint8Array): void {
    if (this.#contexts.has(session)) return;
    this.#contexts.set(session, { session, key: key.slice(), senders: new KnownSenders(this.#sendersMax) });
  }

  removeContext(session: string): void {
    this.#contexts.delete(session);
    this.#last = null;
  }

  addOwnSender(sender: string): void {
    this.#own.push(identityBytes(sender));
  }

  receive(datagram: Uint8Array): Received {
    const fault = headerFault(datagram);
    if (fault !== null) return dropped(fault);
    if (this.#own.some((own) => sameIdentity(own, 0, datagram, headerAt.sender))) return dropped("own");
    if (uint32At(datagram, headerAt.deployment) !== this.#deployment) return dropped("deployment");
    const type = frameTypeOf(datagram);
    if (type === undefined) return dropped("type");
    const opened = this.#open(datagram);
    if (typeof opened === "string") return dropped(opened);
    return this.#decode(type, datagram, opened);
  }

  #open(datagram: Uint8Array): Opened | DropReason {
    const last = this.#last;
    if (
      last !== null &&
      sameIdentity(this.#lastSender, 0, datagram, headerAt.sender) &&
      sameIdentity(this.#lastSession, 0, datagram, headerAt.session)
    )
      return this.#openKnown(datagram, last.context, last.known);
    const context = this.#contexts.get(identityAt(datagram, headerAt.session));
    if (context === undefined) return "session";
    const sender = identityAt(datagram, headerAt.sender);
    const known = context.senders.get(sender);
    if (known !== undefined) {
      const opened = this.#openKnown(datagram, context, known);
      if (typeof opened !== "string") context.senders.touch(known);
      return opened;
    }
    const aead = frameAead(this.#crypto, context.key, context.session, sender);
    const body = this.#unseal(aead, datagram);
    if (body === null) return "seal";
    return this.#accepted(datagram, context, context.senders.add(sender, aead), body);
  }

  #openKnown(datagram: Uint8Array, context: Context, known: KnownSender): Opened | DropReason {
    if (!known.window.isFresh(uint32At(datagram, headerAt.sequence))) return "replay";
    const body = this.#unseal(known.aead, datagram);
    return body === null ? "seal" : this.#accepted(datagram, context, known, body);
  }

  #unseal(aead: Aead, datagram: Uint8Array): Uint8Array | null {
    writeNonce(this.#nonce, uint32At(datagram, headerAt.sequence));
    return aead.open(this.#nonce, datagram.subarray(0, associatedBytes), datagram.subarray(headerBytes));
  }

  /** The seal is right: the window moves, whatever the body turns out to be. */
  #accepted(datagram: Uint8Array, context: Context, known: KnownSender, body: Uint8Array): Opened {
    known.window.accept(uint32At(datagram, headerAt.sequence));
    if (this.#last?.known !== known) {
      this.#last = { context, known };
      this.#lastSession.set(datagram.subarray(headerAt.session, headerAt.session + 8));
      this.#lastSender.set(datagram.subarray(headerAt.sender, headerAt.sender + 8));
    }
    return { context, known, body };
  }

  #decode(type: FrameType, datagram: Uint8Array, { context, known, body }: Opened): Received {
    if (type !== "symbol") {
      const frame = decodeControl(type, body);
      if (frame === null) return dropped("body");
      const sequence = uint32At(datagram, headerAt.sequence);
      return { kind: "control", header: { session: context.session, sender: known.sender, sequence }, frame };
    }
    if (!isSymbol(body)) return dropped("body");
    const result = this.#symbol;
    result.session = context.session;
    result.sender = known.sender;
    result.chunk = uint32At(body, symbolAt.chunk);
    result.block = uint16At(body, symbolAt.block);
    result.symbol = body[symbolAt.symbol]!;
    result.payload = body.subarray(symbolHeadBytes);
    return result;
  }
}
