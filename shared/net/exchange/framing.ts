/**
 * Framing of the LAN exchange over TCP. The server greets with its version and a challenge. Each
 * request is a length, the session and a sealed body; each answer is a byte, a sealed head and
 * sealed pieces, which the client acknowledges with a length of 0.
 *
 *   server → client   greeting: "FCX2", challenge (16)
 *   client → server   request: length (4), session (8), sealed request; or length 0
 *   server → client   1 byte (`answerBytes`); sealed head: status (1), length (4); sealed pieces
 */
import { identityAt, identityBytes, putUint32, uint32At } from "../../wire/identity.ts";
import { challengeBytes, sealBytes } from "./seal.ts";

const version = new TextEncoder().encode("FCX2");
export const greetingBytes = version.length + challengeBytes;
export const lengthBytes = 4;
const sessionBytes = 8;

/** Upper bound on a sealed request; one with `heldRangesMax` ranges is shorter. */
export const requestBytesMax = 131_072;
/** Plain bytes of a piece of an answer; the last one may be shorter. */
export const pieceBytes = 65_536;

/** First byte of an answer. The server closes the connection after the last two. */
export const answerBytes = {
  sealed: 0,
  /** The device does not offer the package under this key. */
  unknown: 1,
  /** The request is not sealed for this connection and device. */
  refused: 2,
} as const;

export const statuses = { ok: 0, notHeld: 1, busy: 2 } as const;
const headPlainBytes = 5;
export const headBytes = headPlainBytes + sealBytes;

export function greetingOf(challenge: Uint8Array): Uint8Array {
  const greeting = new Uint8Array(greetingBytes);
  greeting.set(version);
  greeting.set(challenge, version.length);
  return greeting;
}

/** Returns the challenge; null if the greeting is one of another version. */
export function challengeIn(greeting: Uint8Array): Uint8Array | null {
  const isKnown = greeting.length === greetingBytes && version.every((byte, at) => greeting[at] === byte);
  return isKnown ? greeting.slice(version.length) : null;
}

export function requestMessage(session: string, sealed: Uint8Array): Uint8Array {
  const message = new Uint8Array(lengthBytes + sessionBytes + sealed.length);
  putUint32(message, 0, sessionBytes + sealed.length);
  message.set(identityBytes(session), lengthBytes);
  message.set(sealed, lengthBytes + sessionBytes);
  return message;
}

/** A length of 0: the answer was received as a whole. */
export const acknowledgement: Uint8Array = new Uint8Array(lengthBytes);

/** Whether a length belongs to a request. */
export const isRequestLength = (length: number): boolean =>
  length >= sessionBytes + sealBytes && length <= requestBytesMax;

/** @param message without its length */
export const requestIn = (message: Uint8Array): { session: string; sealed: Uint8Array } => ({
  session: identityAt(message, 0),
  sealed: message.subarray(sessionBytes),
});

export function headOf(status: number, length: number): Uint8Array {
  const head = new Uint8Array(headPlainBytes);
  head[0] = status;
  putUint32(head, 1, length);
  return head;
}

export const headIn = (head: Uint8Array): { status: number; length: number } => ({
  status: head[0]!,
  length: uint32At(head, 1),
});
