/**
 * What one life of a simulated device says and hears on the LAN: the real frames, keys, seals and replay windows, as
 * `shared/device/lan-sessions.ts` uses them on sockets.
 */
import { nodeCrypto } from "../net/seal/aead.ts";
import {
  chunkCipherOf,
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  sessionOf,
  symbolOverheadBytes,
  type ChunkCipher,
  type ControlFrame,
  type Crypto,
  type FrameReceiver,
  type FrameWriter,
  type Received,
} from "../wire/index.ts";
import type { Random } from "./random.ts";

export const deployment = 7;

export type ContextName = "task" | "package";
export type Keys = Readonly<Record<ContextName, Uint8Array>>;

/**
 * The real ciphers, but a datagram that arrives unchanged at many receivers is opened once: the same key and the same
 * bytes give the same answer. What was changed on the way lies in bytes of its own and is always opened itself.
 */
export function createSharedCrypto(): Crypto {
  const aeads = new Map<string, ReturnType<Crypto["aead"]>>();
  const tags = new Map<string, ReturnType<Crypto["frameTag"]>>();
  return {
    ...nodeCrypto,
    aead(key) {
      const name = key.toHex();
      let aead = aeads.get(name);
      if (!aead) aeads.set(name, (aead = openingOnce(nodeCrypto.aead(key))));
      return aead;
    },
    frameTag(key) {
      const name = key.toHex();
      let tag = tags.get(name);
      if (!tag) tags.set(name, (tag = provingOnce(nodeCrypto.frameTag(key))));
      return tag;
    },
  };
}

function openingOnce(aead: ReturnType<Crypto["aead"]>): ReturnType<Crypto["aead"]> {
  const opened = new WeakMap<ArrayBufferLike, Uint8Array | null>();
  return {
    ...aead,
    open(nonce, associated, sealed) {
      let plaintext = opened.get(sealed.buffer);
      if (plaintext === undefined) {
        plaintext = aead.open(nonce, associated, sealed);
        opened.set(sealed.buffer, plaintext);
      }
      return plaintext;
    },
  };
}

function provingOnce(tag: ReturnType<Crypto["frameTag"]>): ReturnType<Crypto["frameTag"]> {
  const proven = new WeakMap<ArrayBufferLike, boolean>();
  return {
    ...tag,
    isRight(nonce, frame) {
      let isRight = proven.get(frame.buffer);
      if (isRight === undefined) {
        isRight = tag.isRight(nonce, frame);
        proven.set(frame.buffer, isRight);
      }
      return isRight;
    },
  };
}

export class Voice {
  readonly chunkCipher: ChunkCipher;
  readonly #receiver: FrameReceiver;
  readonly #sessions: Readonly<Record<ContextName, string>>;
  readonly #senders: Readonly<Record<ContextName, FrameWriter>>;
  readonly #keys: Keys;

  /** @param sender 16 hex digits; null: new ones, as at each start of a process */
  constructor(crypto: Crypto, keys: Keys, random: Random, sender: string | null) {
    const incarnation = createIncarnation(sender ?? random.bytes(8).toHex());
    this.#keys = keys;
    this.#receiver = createFrameReceiver({ crypto, deployment, ownSender: incarnation.sender });
    const task = sessionOf(crypto, keys.task);
    const ofPackage = sessionOf(crypto, keys.package);
    const senderOf = (session: string, key: Uint8Array): FrameWriter =>
      createFrameWriter({ crypto, deployment, session, key, incarnation });
    this.#sessions = { task, package: ofPackage };
    this.#senders = { task: senderOf(task, keys.task), package: senderOf(ofPackage, keys.package) };
    this.chunkCipher = chunkCipherOf(crypto, keys.task, task);
  }

  join(context: ContextName): void {
    this.#receiver.addContext(this.#sessions[context], this.#keys[context]);
  }

  leave(context: ContextName): void {
    this.#receiver.removeContext(this.#sessions[context]);
  }

  frame(context: ContextName, frame: ControlFrame): Uint8Array {
    return this.#senders[context].control(frame);
  }

  symbol(chunk: number, block: number, symbol: number, payload: Uint8Array): Uint8Array {
    // Bytes of its own: the datagram is still under way when the next one is made.
    const into = new Uint8Array(payload.length + symbolOverheadBytes);
    return this.#senders.task.symbol(chunk, block, symbol, payload, into);
  }

  receive(datagram: Uint8Array): Received {
    return this.#receiver.receive(datagram);
  }
}
