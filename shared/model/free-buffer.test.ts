import { expect, test } from "bun:test";
import { freeBuffer } from "./free-buffer.ts";

test("frees the buffer of an array that owns all of it", () => {
  const bytes = new Uint8Array(1 << 20);
  freeBuffer(bytes);
  expect([bytes.length, bytes.buffer.byteLength]).toEqual([0, 0]);
});

test("leaves views into a larger buffer and freed arrays untouched", () => {
  const whole = new Uint8Array(8);
  freeBuffer(whole.subarray(2));
  expect(whole.length).toBe(8);
  const gone = new Uint8Array(4);
  freeBuffer(gone);
  expect(() => freeBuffer(gone)).not.toThrow();
});
