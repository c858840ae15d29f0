import { expect, test } from "bun:test";
import { release } from "./free-buffer.ts";

test("Bytes with a buffer of their own are given back", () => {
  const bytes = new Uint8Array(1 << 20);
  release(bytes);
  expect([bytes.length, bytes.buffer.byteLength]).toEqual([0, 0]);
});

test("A part of something larger, and what is given back already, are left alone", () => {
  const whole = new Uint8Array(8);
  release(whole.subarray(2));
  expect(whole.length).toBe(8);
  const gone = new Uint8Array(4);
  release(gone);
  expect(() => release(gone)).not.toThrow();
});
