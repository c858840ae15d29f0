/**
 * Makes the frames of one sender in one session: numbers, seals and lays them out. It sends nothing.
 */
import { encodeControl, writeHeader, writeHeaderOf, writeSymbol } from "./encode.ts";
import type { ControlFrame, ControlType } from "./frames.ts";
import { remainingOf, takeSequence, type Incarnation } from "./incarnation.ts";
import {
  associatedBytes,
  headerBytes,
  nonceBytes,
  symbolFrameMaxBytes,
  symbolHeadBytes,
  tagBytes,
} from "./layout.ts";
import { frameAead, symbolTag, writeNonce, type Crypto } from "./seal.ts";

export type FrameWriter = {
  readonly session: string;
  readonly sender: string;
  /** Sequences left; begin a new incarnation well before 0. */
  readonly remaining: number;
  /** A whole datagram of its own bytes. Throws when a field breaks its limits: that is a bug of the caller. */
  control(frame: ControlFrame): Uint8Array;
  /**
   * The same for a symbol of 1 … 1,400 bytes of an encrypted chunk; the hot path. The frame is made in `into`, of
   * `symbolFrameMaxBytes`, so that a sender of many allocates nothing for each.
   */
  symbol(chunk: number, block: number, symbol: number, payload: Uint8Array, into?: Uint8Array): Uint8Array;
};

/**
 * @example
 * const sender = createFrameSender({ crypto, deployment, session: sessionOf(crypto, key), key, incarnation });
 * socket.send(sender.control({ type: "resign", device, term, reason: "stopped by the administrator" }));
 */
export function createFrameWriter(options: {
  readonly crypto: Crypto;
  readonly deployment: number;
  readonly session: string;
  readonly key: Uint8Array;
  readonly incarnation: Incarnation;
}): FrameWriter {
  const { session, incarnation } = options;
  const counter = incarnation.counterOf(session);
  const aead = frameAead(options.crypto, options.key, session, incarnation.sender);
  const header = new Uint8Array(headerBytes);
  writeHeader(header, { deployment: options.deployment, session, sender: incarnation.sender });
  const associated = header.subarray(0, associatedBytes);
  const nonce = new Uint8Array(nonceBytes);
  const tag = symbolTag(options.crypto, options.key, session, incarnation.sender);

  const frameOf = (type: ControlType, body: Uint8Array): Uint8Array => {
    const sequence = takeSequence(counter);
    writeHeaderOf(header, type, sequence, body.length + tagBytes);
    writeNonce(nonce, sequence);
    const frame = new Uint8Array(headerBytes + body.length + tagBytes);
    frame.set(header);
    aead.sealInto(nonce, associated, body, frame.subarray(headerBytes));
    return frame;
  };
  return {
    session,
    sender: incarnation.sender,
    get remaining() {
      return remainingOf(counter);
    },
    control: (frame) => frameOf(frame.type, encodeControl(frame)),
    symbol(chunk, block, symbol, payload, into = new Uint8Array(symbolFrameMaxBytes)) {
      const sealedBytes = symbolHeadBytes + payload.length + tagBytes;
      const lengthBytes = headerBytes + sealedBytes;
      const frame = lengthBytes === into.length ? into : into.subarray(0, lengthBytes);
      writeSymbol(frame, headerBytes, chunk, block, symbol, payload);
      const sequence = takeSequence(counter);
      writeHeaderOf(header, "symbol", sequence, sealedBytes);
      frame.set(header);
      writeNonce(nonce, sequence);
      tag.sign(nonce, frame);
      return frame;
    },
  };
}
