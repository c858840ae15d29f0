/**
 * Writer of the frames of one sender in one session: it numbers, seals and encodes them. The caller
 * sends the datagrams.
 */
import { encodeControl, writeHeader, writeHeaderOf, writeSymbol } from "./encode.ts";
import type { ControlFrame, ControlType } from "./frames.ts";
import { remainingOf, takeSequence, type Incarnation } from "./incarnation.ts";
import {
  associatedBytes,
  headerBytes,
  nonceBytes,
  symbolHeadBytes,
  symbolOverheadBytes,
  tagBytes,
} from "./layout.ts";
import { frameSeal, symbolTag, writeNonce, type Crypto } from "./seal.ts";

export type FrameWriter = {
  readonly session: string;
  readonly sender: string;
  /** Sequences left. The owner starts a new incarnation well before 0. */
  readonly remaining: number;
  /**
   * Returns a datagram in memory of its own.
   *
   * @throws Error when a field breaks its limits, which is a bug of the caller
   */
  control(frame: ControlFrame): Uint8Array;
  /**
   * Returns the datagram of a symbol, with a payload of 1 … 8,904 bytes of an encrypted chunk. This
   * is the hot path: the frame is written into `into` (payload and `symbolOverheadBytes`), so
   * nothing is allocated per symbol.
   *
   * @throws Error when a number or the payload breaks a limit
   */
  symbol(chunk: number, block: number, symbol: number, payload: Uint8Array, into?: Uint8Array): Uint8Array;
};

/**
 * Creates the writer of one sender in one session.
 *
 * @example
 * const writer = createFrameWriter({ crypto, deployment, session, key, incarnation });
 * socket.send(writer.control({ type: "resign", device, term, reason: "stopped" }));
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
  const seal = frameSeal(options.crypto, options.key, session, incarnation.sender);
  const header = new Uint8Array(headerBytes);
  writeHeader(header, { deployment: options.deployment, session, sender: incarnation.sender });
  const associated = header.subarray(0, associatedBytes);
  const nonce = new Uint8Array(nonceBytes);
  const tag = symbolTag(options.crypto, options.key, session, incarnation.sender);

  const frameOf = (type: ControlType, body: Uint8Array): Uint8Array => {
    const sequence = takeSequence(counter);
    writeHeaderOf(header, type, sequence, body.length + tagBytes);
    const frame = new Uint8Array(headerBytes + body.length + tagBytes);
    frame.set(header);
    seal.sealInto(associated, body, frame.subarray(headerBytes));
    return frame;
  };
  return {
    session,
    sender: incarnation.sender,
    get remaining() {
      return remainingOf(counter);
    },
    control: (frame) => frameOf(frame.type, encodeControl(frame)),
    symbol(chunk, block, symbol, payload, into = new Uint8Array(symbolOverheadBytes + payload.length)) {
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
