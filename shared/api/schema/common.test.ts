import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { base64 } from "./common.ts";

test("base64 of the largest manifest is accepted", () => {
  const text = randomBytes(16 * 1_048_576).toString("base64");
  expect(v.is(base64(16 * 1_048_576), text)).toBe(true);
});

test.each(["AAA", "AAA=A", "AA==\n", "A A=", "AAB=", "####", "AA-_"])("%p is refused as base64", (text) => {
  expect(v.is(base64(100), text)).toBe(false);
});

test.each(["", "AA==", "AAA=", "AAAA"])("%p is accepted as base64", (text) => {
  expect(v.is(base64(100), text)).toBe(true);
});
