/**
 * Seals the LAN exchange: AES-128-GCM with one key per package key and a random nonce per message.
 *
 * The associated data names the connection (by the server's challenge), the request's number on it,
 * and the part of the answer. A recorded message therefore opens nowhere else and never again.
 */
import { randomBytes } from "node:crypto";
import { identityBytes, putUint32 } from "../../wire/identity.ts";
import { createAead, nodeCrypto } from "../seal/aead.ts";

const nonceBytes = 12;
/** Nonce and tag: bytes by which a sealed message is longer. */
export const sealBytes = nonceBytes + 16;
export const challengeBytes = 16;
const sealInfo = new TextEncoder().encode("flockcast exchange 2 seal");
const noSalt = new Uint8Array(0);

/** Message of a connection: a request, the head of its answer, or a piece of the answer. */
const parts = { request: 1, head: 2, piece: 3 } as const;
const contextBytes = 1 + challengeBytes + 8 + 4 + 4;

/** One request of a connection. */
export type Exchanged = {
  /** Random bytes of the server, new for each connection. */
  readonly challenge: Uint8Array;
  /** Session of the package, or id of the probe: 16 hex digits. */
  readonly session: string;
  /** Position of the request on its connection, from 0. */
  readonly count: number;
};

/** Returns the associated data of a message. @param index of the piece */
export function contextOf({ challenge, session, count }: Exchanged, part: keyof typeof parts, index = 0) {
  const context = new Uint8Array(contextBytes);
  context[0] = parts[part];
  context.set(challenge, 1);
  context.set(identityBytes(session), 1 + challengeBytes);
  putUint32(context, 1 + challengeBytes + 8, count);
  putUint32(context, 1 + challengeBytes + 12, index);
  return context;
}

export type ExchangeSeal = {
  /** Returns nonce ‖ ciphertext ‖ tag. */
  seal(context: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Returns null if the bytes were not sealed with this key for this context. */
  open(context: Uint8Array, sealed: Uint8Array): Uint8Array | null;
};

/** @param key of a package or a probe, 16 bytes */
export function createExchangeSeal(key: Uint8Array): ExchangeSeal {
  const aead = createAead(nodeCrypto.hkdf(key, noSalt, sealInfo, 16));
  return {
    seal(context, plaintext) {
      const sealed = Buffer.allocUnsafeSlow(plaintext.length + sealBytes);
      const nonce = randomBytes(nonceBytes);
      sealed.set(nonce);
      aead.sealInto(nonce, context, plaintext, sealed.subarray(nonceBytes));
      return sealed;
    },
    open(context, sealed) {
      if (sealed.length < sealBytes) return null;
      return aead.open(sealed.subarray(0, nonceBytes), context, sealed.subarray(nonceBytes));
    },
  };
}
