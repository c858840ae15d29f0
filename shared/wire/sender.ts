/**
 * Makes the frames of one sender in one session: numbers, seals and lays them out. It sends nothing.
 */
import { encodeControl, writeHeader, writeHeaderOf, writeSymbol } from "./encode.ts";
import type { ControlFrame, FrameType } from "./frames.ts";
import { remainingOf, takeSequence, type Incarnation } from "./incarnation.ts";
import { associatedBytes, headerBytes, nonceBytes, tagBytes } from "./layout.ts";
import { limits } from "./limits.ts";
import { frameAead, writeNonce, type Crypto } from "./seal.ts";

export type FrameSender = {
  readonly session: string;
  readonly sender: string;
  /** Sequences left; begin a new incarnation well before 0. */
  readonly remaining: number;
  /** A whole datagram of its own bytes. Throws when a field breaks its limits: that is a bug of the caller. */
  control(frame: ControlFrame): Uint8Array;
  /** The same for a symbol of 1 … 1,400 bytes; the hot path. */
  symbol(chunk: number, block: number, symbol: number, payload: Uint8Array): Uint8Array;
};

/**
 * @example
 * const sender = createFrameSender({ crypto, deployment, session: sessionOf(crypto, key), key, incarnation });
 * socket.send(sender.control({ type: "resign", device, term, reason: "stopped by the administrator" }));
 */
export function createFrameSender(options: {
  readonly crypto: Crypto;
  readonly deployment: number;
  readonly session: string;
  readonly key: Uint8Array;
  readonly incarnation: Incarnation;
}): FrameSender {
  const { session, incarnation } = options;
  const counter = incarnation.counterOf(session);
  const aead = frameAead(options.crypto, options.key, session, incarnation.sender);
  const header = new Uint8Array(headerBytes);
  writeHeader(header, { deployment: options.deployment, session, sender: incarnation.sender });
  const associated = header.subarray(0, associatedBytes);
  const nonce = new Uint8Array(nonceBytes);
  const symbolBody = new Uint8Array(limits.bodyMaxBytes);

  const frameOf = (type: FrameType, body: Uint8Array): Uint8Array => {
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
    symbol: (chunk, block, symbol, payload) =>
      frameOf("symbol", symbolBody.subarray(0, writeSymbol(symbolBody, chunk, block, symbol, payload))),
  };
}
