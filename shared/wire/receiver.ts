/**
 * Frame receiver: finds the session's key, checks replay window and seal, and decodes. Every other
 * datagram gives a drop reason.
 *
 * The receiver does not judge the content of a frame: any sender with the session's key is
 * accepted. The caller checks chunk and block numbers against the package.
 */
import { proofAt, proofNumbers, type DatagramBatch } from "./datagram-batch.ts";
import { decodeControl, frameTypeOf, headerFault, isSymbolFrame } from "./decode.ts";
import type { ControlFrame, DropReason, FrameHeader, FrameType } from "./frames.ts";
import { identityAt, identityBytes, uint16At, uint32At } from "./identity.ts";
import {
  associatedBytes,
  headerAt,
  headerBytes,
  nonceBytes,
  payloadAt,
  symbolAt,
  tagBytes,
} from "./layout.ts";
import { limits } from "./limits.ts";
import { frameSeal, symbolTag, writeNonce, type Crypto } from "./seal.ts";
import { KnownSenders, type KnownSender, type SenderKeys } from "./known-senders.ts";

type ReceivedControl = {
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
  /** View that is valid until the next `receive`: copy bytes that are kept longer. */
  readonly payload: Uint8Array;
};
type Dropped = { readonly kind: "dropped"; readonly reason: DropReason };
export type Received = ReceivedControl | ReceivedSymbol | Dropped;

export type FrameReceiver = {
  /** Accepts frames of a session from now on. Adding a session again keeps its senders. */
  addContext(session: string, key: Uint8Array): void;
  /** Drops frames of a session from now on and forgets its senders and replay windows. */
  removeContext(session: string): void;
  /**
   * Adds a sender name of this process. Frames with that name, which the multicast group loops
   * back, are dropped as "own".
   */
  addOwnSender(sender: string): void;
  /**
   * Decodes one datagram; never throws. For symbols every call fills the *same* result object, so
   * that the data path allocates nothing per datagram. Read its numbers and bytes before the next
   * call.
   */
  receive(datagram: Uint8Array): Received;
  /** Decodes the datagrams of a batch in order. Consecutive symbols of one sender cost least. */
  receiveBatch(batch: DatagramBatch, take: (received: Received, index: number) => void): void;
};

type Context = { readonly session: string; readonly key: Uint8Array; readonly senders: KnownSenders };
/** Session and sender of an accepted frame. */
type Accepted = { readonly context: Context; readonly known: KnownSender };
/** Own sender names whose frames may still return from the group. */
const ownSendersMax = 4;
/** Earlier own names, which others may reflect: those of four weeks. */
const earlierOwnMax = 4_096;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createFrameReceiver(options: {
  readonly crypto: Crypto;
  readonly deployment: number;
  /** Sender name of this process. */
  readonly ownSender: string;
  /** Upper bound on the senders remembered per session. */
  readonly sendersMax?: number;
}): FrameReceiver {
  return new Receiver(
    options.crypto,
    options.deployment,
    options.ownSender,
    options.sendersMax ?? limits.sendersMax,
  );
}

/** One shared object per reason, so that a flood of invalid datagrams allocates nothing. */
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

/**
 * Advances the replay window after the seal was opened, even if the body turns out to be invalid.
 */
const advanceWindow = (datagram: Uint8Array, { window }: KnownSender): void =>
  window.accept(uint32At(datagram, headerAt.sequence));

class Receiver implements FrameReceiver {
  readonly #crypto: Crypto;
  readonly #deployment: number;
  readonly #sendersMax: number;
  /** Last sender names of this process, the newest first; the frames of earlier ones are rare. */
  #own: Uint8Array[] = [];
  readonly #earlierOwn = new Set<string>();
  readonly #contexts = new Map<string, Context>();
  readonly #nonce = new Uint8Array(nonceBytes);
  /**
   * Fast path: header up to the sequence, and sender, of the last accepted symbol. Consecutive
   * datagrams nearly always share a sender.
   */
  readonly #symbolHead = new Uint8Array(headerAt.sequence);
  #lastSymbolFrom: Accepted | null = null;
  /** Opened body of the control frame that is being received. */
  #body = new Uint8Array(0);
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
    this.#lastSymbolFrom = null;
  }

  addOwnSender(sender: string): void {
    this.#own = [identityBytes(sender), ...this.#own];
    if (this.#own.length <= ownSendersMax) return;
    this.#earlierOwn.add(identityAt(this.#own.pop()!, 0));
    if (this.#earlierOwn.size > earlierOwnMax) this.#earlierOwn.delete(this.#earlierOwn.keys().next().value!);
  }

  receive(datagram: Uint8Array): Received {
    const fault = headerFault(datagram);
    if (fault !== null) return dropped(fault);
    const from = this.#lastSymbolFrom;
    return from !== null && this.#matchesSymbolHead(datagram)
      ? this.#receiveSymbol(datagram, from)
      : this.#receiveAny(datagram);
  }

  receiveBatch(batch: DatagramBatch, take: (received: Received, index: number) => void): void {
    const from = this.#lastSymbolFrom;
    const proofs = from === null ? null : from.known.tag.prove(batch, this.#symbolHead);
    for (let index = 0; index < batch.count; index++) {
      const at = index * proofNumbers;
      // The callback may leave the session, which resets the sender.
      const isVerified =
        proofs !== null && proofs[at + proofAt.payloadBytes]! > 0 && from === this.#lastSymbolFrom;
      take(
        isVerified
          ? this.#receiveVerified(batch, index, proofs, at, from!)
          : this.receive(batch.datagram(index)),
        index,
      );
    }
  }

  #receiveVerified(
    batch: DatagramBatch,
    index: number,
    proofs: Uint32Array,
    at: number,
    from: Accepted,
  ): Received {
    const { window } = from.known;
    const sequence = proofs[at + proofAt.sequence]!;
    if (!window.isFresh(sequence)) return dropped("replay");
    window.accept(sequence);
    const blockAndSymbol = proofs[at + proofAt.blockAndSymbol]!;
    return this.#fillSymbol(
      from,
      proofs[at + proofAt.chunk]!,
      blockAndSymbol & 0xffff,
      blockAndSymbol >>> 16,
      batch.payload(index, proofs[at + proofAt.payloadBytes]!),
    );
  }

  #matchesSymbolHead(datagram: Uint8Array): boolean {
    const head = this.#symbolHead;
    for (let i = 0; i < head.length; i++) if (datagram[i] !== head[i]) return false;
    return true;
  }

  /** Handles a symbol of the same sender as the last one. */
  #receiveSymbol(datagram: Uint8Array, from: Accepted): Received {
    const refused = this.#openKnown("symbol", datagram, from.known);
    return refused === null ? this.#symbolOf(datagram, from) : dropped(refused);
  }

  #receiveAny(datagram: Uint8Array): Received {
    if (this.#isOwn(datagram)) return dropped("own");
    if (uint32At(datagram, headerAt.deployment) !== this.#deployment) return dropped("deployment");
    const type = frameTypeOf(datagram);
    if (type === undefined) return dropped("type");
    const from = this.#openUnknown(type, datagram);
    if (typeof from === "string") return dropped(from);
    if (type !== "symbol") return this.#controlOf(type, datagram, from);
    const symbol = this.#symbolOf(datagram, from);
    if (symbol.kind === "symbol") {
      this.#symbolHead.set(datagram.subarray(0, this.#symbolHead.length));
      this.#lastSymbolFrom = from;
    }
    return symbol;
  }

  /** Separate method: a closure in `receive` would cost one object per datagram. */
  #isOwn(datagram: Uint8Array): boolean {
    return this.#own.some((own) => sameIdentity(own, 0, datagram, headerAt.sender));
  }

  #openUnknown(type: FrameType, datagram: Uint8Array): Accepted | DropReason {
    const context = this.#contexts.get(identityAt(datagram, headerAt.session));
    if (context === undefined) return "session";
    const sender = identityAt(datagram, headerAt.sender);
    if (this.#earlierOwn.has(sender)) return "own";
    const known = context.senders.get(sender);
    if (known !== undefined) {
      const refused = this.#openKnown(type, datagram, known);
      if (refused !== null) return refused;
      context.senders.touch(known);
      return { context, known };
    }
    const keys = {
      seal: frameSeal(this.#crypto, context.key, context.session, sender),
      tag: symbolTag(this.#crypto, context.key, context.session, sender),
    };
    if (!this.#opens(type, datagram, keys)) return "seal";
    const added = context.senders.add(sender, keys);
    advanceWindow(datagram, added);
    return { context, known: added };
  }

  #openKnown(type: FrameType, datagram: Uint8Array, known: KnownSender): DropReason | null {
    if (!known.window.isFresh(uint32At(datagram, headerAt.sequence))) return "replay";
    if (!this.#opens(type, datagram, known)) return "seal";
    advanceWindow(datagram, known);
    return null;
  }

  /** Verifies a symbol in place, or opens the body of a control frame into `#body`. */
  #opens(type: FrameType, datagram: Uint8Array, { seal, tag }: SenderKeys): boolean {
    if (type === "symbol") {
      writeNonce(this.#nonce, uint32At(datagram, headerAt.sequence));
      return tag.isRight(this.#nonce, datagram);
    }
    const body = seal.open(datagram.subarray(0, associatedBytes), datagram.subarray(headerBytes));
    if (body === null) return false;
    this.#body = body as Uint8Array<ArrayBuffer>;
    return true;
  }

  #controlOf(
    type: Exclude<FrameType, "symbol">,
    datagram: Uint8Array,
    { context, known }: Accepted,
  ): Received {
    const frame = decodeControl(type, this.#body);
    if (frame === null) return dropped("body");
    const sequence = uint32At(datagram, headerAt.sequence);
    return { kind: "control", header: { session: context.session, sender: known.sender, sequence }, frame };
  }

  #symbolOf(datagram: Uint8Array, from: Accepted): Received {
    if (!isSymbolFrame(datagram)) return dropped("body");
    return this.#fillSymbol(
      from,
      uint32At(datagram, headerBytes + symbolAt.chunk),
      uint16At(datagram, headerBytes + symbolAt.block),
      datagram[headerBytes + symbolAt.symbol]!,
      datagram.subarray(payloadAt, datagram.length - tagBytes),
    );
  }

  #fillSymbol(
    { context, known }: Accepted,
    chunk: number,
    block: number,
    symbol: number,
    payload: Uint8Array,
  ): Received {
    const result = this.#symbol;
    result.session = context.session;
    result.sender = known.sender;
    result.chunk = chunk;
    result.block = block;
    result.symbol = symbol;
    result.payload = payload;
    return result;
  }
}
