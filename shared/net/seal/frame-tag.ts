/**
 * The tag of a symbol's frame: AEAD_CHACHA20_POLY1305 (RFC 8439) with the frame as associated data and nothing
 * encrypted. A WebAssembly kernel (frame-tag.wat) computes it without allocating anything: through node:crypto every
 * datagram costs a native object and a buffer, 10 µs with the page faults they bring, against 1.5 µs here.
 *
 * Where WebAssembly SIMD is missing, @noble/ciphers stands in; tests hold the two against each other.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { batchDatagramsMax, proofNumbers, slotBytes } from "../../wire/datagram-batch.ts";
import { tagBytes } from "../../wire/layout.ts";
import { limits } from "../../wire/limits.ts";
import type { FrameTag } from "../../wire/seal.ts";
import { kernelBytes } from "./frame-tag-kernel.ts";

type KernelFunctions = {
  readonly memory: WebAssembly.Memory;
  /** Both of so many bytes at a place. */
  readonly tag: (at: number, length: number) => void;
  readonly verify: (at: number, length: number) => number;
  /** So many datagrams of a batch. */
  readonly prove: (count: number) => void;
};
type Kernel = KernelFunctions & {
  readonly memoryBytes: Uint8Array;
  readonly proofs: Uint32Array;
  readonly places: DatagramPlaces;
};

/** Where a batch of datagrams is to lie to be proven; all sockets share it, for a batch is done with before the next. */
export type DatagramPlaces = { readonly slots: Uint8Array; readonly lengths: Uint32Array };

/** The places of frame-tag.wat. */
const nonceAt = 32;
const tagAt = 48;
const messageAt = 128;
const headAt = 2_048;
const lengthsAt = 2_304;
const proofsAt = 2_560;
const slotsAt = 4_096;

/** Null where there is no SIMD: then any place will do. */
export const batchMemory = (): DatagramPlaces | null => sharedKernel()?.places ?? null;

/** @param key of 32 bytes */
export function createFrameTag(key: Uint8Array): FrameTag {
  return createKernelTag(key) ?? createPlainTag(key);
}

/** Null where there is no SIMD. */
export function createKernelTag(key: Uint8Array): FrameTag | null {
  const kernel = sharedKernel();
  if (kernel === null) return null;
  const ownKey = key.slice();
  const putKey = (): void => {
    if (keyInPlace === ownKey) return;
    kernel.memoryBytes.set(ownKey, 0);
    keyInPlace = ownKey;
  };
  const put = (nonce: Uint8Array, message: Uint8Array): void => {
    if (message.length > limits.datagramMaxBytes)
      throw new Error(`A frame of ${message.length} bytes: at most ${limits.datagramMaxBytes}`);
    putKey();
    kernel.memoryBytes.set(nonce, nonceAt);
    kernel.memoryBytes.set(message, messageAt);
  };
  return {
    sign(nonce, frame) {
      const length = frame.length - tagBytes;
      put(nonce, frame);
      kernel.tag(messageAt, length);
      for (let i = 0; i < tagBytes; i++) frame[length + i] = kernel.memoryBytes[tagAt + i]!;
    },
    isRight(nonce, frame) {
      if (frame.length < tagBytes) return false;
      put(nonce, frame);
      return kernel.verify(messageAt, frame.length) === 1;
    },
    prove({ count, slots }, head) {
      if (slots !== kernel.places.slots) return null;
      putKey();
      kernel.memoryBytes.set(head, headAt);
      kernel.prove(count);
      return kernel.proofs;
    },
  };
}

const nothing = new Uint8Array(0);

export function createPlainTag(key: Uint8Array): FrameTag {
  const ownKey = key.slice();
  const parts = (nonce: Uint8Array, frame: Uint8Array) => {
    const end = frame.length - tagBytes;
    return { cipher: chacha20poly1305(ownKey, nonce, frame.subarray(0, end)), end };
  };
  return {
    sign(nonce, frame) {
      const { cipher, end } = parts(nonce, frame);
      frame.set(cipher.encrypt(nothing), end);
    },
    isRight(nonce, frame) {
      if (frame.length < tagBytes) return false;
      const { cipher, end } = parts(nonce, frame);
      try {
        cipher.decrypt(frame.subarray(end));
        return true;
      } catch {
        return false;
      }
    },
    prove: () => null,
  };
}

/** One kernel of 192 KiB serves all tags of a thread: calls are synchronous, and it keeps only the key in place. */
let kernelOfThread: Kernel | null | undefined;
let keyInPlace: Uint8Array | null = null;

function sharedKernel(): Kernel | null {
  if (kernelOfThread === undefined) kernelOfThread = startKernel();
  return kernelOfThread;
}

function startKernel(): Kernel | null {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(kernelBytes)) return null;
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(kernelBytes));
    const { memory, tag, verify, prove } = instance.exports as unknown as KernelFunctions;
    const memoryBytes = new Uint8Array(memory.buffer);
    const numbers = (at: number, each: number) =>
      new Uint32Array(memory.buffer, at, batchDatagramsMax * each);
    const places = {
      slots: memoryBytes.subarray(slotsAt, slotsAt + batchDatagramsMax * slotBytes),
      lengths: numbers(lengthsAt, 1),
    };
    return { memory, tag, verify, prove, memoryBytes, places, proofs: numbers(proofsAt, proofNumbers) };
  } catch {
    // No address space for its memory, or code generation is forbidden: slower beats not at all.
    return null;
  }
}
