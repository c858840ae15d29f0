/**
 * The tag of a symbol's frame: AEAD_CHACHA20_POLY1305 (RFC 8439) with the frame as associated data
 * and an empty plaintext.
 *
 * A WebAssembly kernel (frame-tag.wat) computes the tag in 1.5 µs without an allocation.
 * node:crypto takes 10 µs: it allocates a native object and a buffer per datagram, which cause page
 * faults. Without WebAssembly SIMD, @noble/ciphers replaces the kernel. Tests compare the two.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { batchDatagramsMax, proofNumbers, slotBytes, slotCount } from "../../wire/datagram-batch.ts";
import { tagBytes } from "../../wire/layout.ts";
import { limits } from "../../wire/limits.ts";
import type { FrameTag } from "../../wire/seal.ts";
import { kernelBytes } from "./frame-tag-kernel.ts";

type KernelFunctions = {
  readonly memory: WebAssembly.Memory;
  /** Computes the tag of `length` bytes at `at`. `verify` returns 1 if the last 16 are the tag. */
  readonly tag: (at: number, length: number) => void;
  readonly verify: (at: number, length: number) => number;
  /** Verifies `count` datagrams, the first at `at`, each `step` bytes after the one before. */
  readonly prove: (at: number, step: number, count: number) => void;
};
type Kernel = KernelFunctions & {
  readonly memoryBytes: Uint8Array;
  readonly proofs: Uint32Array;
  readonly batch: BatchMemory;
};

/**
 * Memory that a batch must be in for the kernel to verify it. All sockets share it, because each
 * batch is processed before the next one is read.
 */
type BatchMemory = { readonly slots: Uint8Array; readonly lengths: Uint32Array };

/** Memory layout of frame-tag.wat, in bytes. */
const nonceAt = 32;
const tagAt = 48;
const headAt = 2_048;
const lengthsAt = 2_304;
const proofsAt = 2_560;
const slotsAt = 4_096;
const messageAt = slotsAt + slotCount * slotBytes;

/** Returns the kernel's batch memory; null without WebAssembly SIMD, where any memory will do. */
export const batchMemory = (): BatchMemory | null => sharedKernel()?.batch ?? null;

/**
 * Returns the frame tag of a key, computed by the kernel if it is available, otherwise by the
 * library.
 * @param key 32 bytes
 */
export function createFrameTag(key: Uint8Array): FrameTag {
  return createKernelTag(key) ?? createPlainTag(key);
}

/** Returns the kernel's frame tag of a 32-byte key; null without WebAssembly SIMD. */
export function createKernelTag(key: Uint8Array): FrameTag | null {
  const kernel = sharedKernel();
  if (kernel === null) return null;
  const ownKey = key.slice();
  const loadKey = (): void => {
    if (loadedKey === ownKey) return;
    kernel.memoryBytes.set(ownKey, 0);
    loadedKey = ownKey;
  };
  const load = (nonce: Uint8Array, message: Uint8Array): void => {
    if (message.length > limits.datagramMaxBytes)
      throw new Error(
        `A frame of ${message.length} bytes is too long: at most ${limits.datagramMaxBytes} bytes`,
      );
    loadKey();
    kernel.memoryBytes.set(nonce, nonceAt);
    kernel.memoryBytes.set(message, messageAt);
  };
  return {
    sign(nonce, frame) {
      const length = frame.length - tagBytes;
      load(nonce, frame);
      kernel.tag(messageAt, length);
      for (let i = 0; i < tagBytes; i++) frame[length + i] = kernel.memoryBytes[tagAt + i]!;
    },
    isRight(nonce, frame) {
      if (frame.length < tagBytes) return false;
      load(nonce, frame);
      return kernel.verify(messageAt, frame.length) === 1;
    },
    prove({ count, slots, firstSlot, slotStep }, head) {
      if (slots !== kernel.batch.slots) return null;
      loadKey();
      kernel.memoryBytes.set(head, headAt);
      kernel.prove(slotsAt + firstSlot * slotBytes, slotStep * slotBytes, count);
      return kernel.proofs;
    },
  };
}

const nothing = new Uint8Array(0);

/** Returns the library's frame tag of a 32-byte key. */
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

/**
 * The kernel of this thread, with 4.1 MiB of memory, of which only slots that were filled use RAM.
 * All tags share it, because calls are synchronous and only the key stays loaded between calls.
 */
let kernelOfThread: Kernel | null | undefined;
let loadedKey: Uint8Array | null = null;

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
    const batch = {
      slots: memoryBytes.subarray(slotsAt, slotsAt + slotCount * slotBytes),
      lengths: numbers(lengthsAt, 1),
    };
    return { memory, tag, verify, prove, memoryBytes, batch, proofs: numbers(proofsAt, proofNumbers) };
  } catch {
    // No address space for the memory, or code generation is forbidden; the library still works.
    return null;
  }
}
