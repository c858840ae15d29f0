/**
 * The tag of a symbol's frame: AEAD_CHACHA20_POLY1305 (RFC 8439) with the frame as associated data and nothing
 * encrypted. A WebAssembly kernel (frame-tag.wat) computes it without allocating anything: through node:crypto every
 * datagram costs a native object and a buffer, 10 µs with the page faults they bring, against 1.5 µs here.
 *
 * Where WebAssembly SIMD is missing, @noble/ciphers stands in; tests hold the two against each other.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { tagBytes } from "../wire/layout.ts";
import { limits } from "../wire/limits.ts";
import type { FrameTag } from "../wire/seal.ts";
import { kernelBytes } from "./frame-tag-kernel.ts";

type KernelFunctions = {
  readonly memory: WebAssembly.Memory;
  /** Both of so many bytes at `messageAt`. */
  readonly tag: (length: number) => void;
  readonly verify: (length: number) => number;
};
type Kernel = KernelFunctions & { readonly memoryBytes: Uint8Array };

/** The places of frame-tag.wat. */
const nonceAt = 32;
const tagAt = 48;
const messageAt = 128;

/** @param key of 32 bytes */
export function createFrameTag(key: Uint8Array): FrameTag {
  return createKernelTag(key) ?? createPlainTag(key);
}

/** Null where there is no SIMD. */
export function createKernelTag(key: Uint8Array): FrameTag | null {
  const kernel = sharedKernel();
  if (kernel === null) return null;
  const ownKey = key.slice();
  const put = (nonce: Uint8Array, message: Uint8Array): void => {
    if (message.length > limits.datagramMaxBytes)
      throw new Error(`A frame of ${message.length} bytes: at most ${limits.datagramMaxBytes}`);
    if (keyInPlace !== ownKey) {
      kernel.memoryBytes.set(ownKey, 0);
      keyInPlace = ownKey;
    }
    kernel.memoryBytes.set(nonce, nonceAt);
    kernel.memoryBytes.set(message, messageAt);
  };
  return {
    sign(nonce, frame) {
      const length = frame.length - tagBytes;
      put(nonce, frame);
      kernel.tag(length);
      for (let i = 0; i < tagBytes; i++) frame[length + i] = kernel.memoryBytes[tagAt + i]!;
    },
    isRight(nonce, frame) {
      if (frame.length < tagBytes) return false;
      put(nonce, frame);
      return kernel.verify(frame.length) === 0;
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
  };
}

/** One kernel of 64 KiB serves all tags of a thread: calls are synchronous, and it keeps only the key in place. */
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
    const { memory, tag, verify } = instance.exports as unknown as KernelFunctions;
    return { memory, tag, verify, memoryBytes: new Uint8Array(memory.buffer) };
  } catch {
    // No address space for its memory, or code generation is forbidden: slower beats not at all.
    return null;
  }
}
