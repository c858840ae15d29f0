import { expect, test } from "bun:test";
import { createTypescriptCode } from "../../shared/fec/index.ts";
import { measureCode } from "./fec.ts";

const brief = { warmUpMs: 5, measureMs: 10 };

test("measures both directions of a code, and throws when it restores wrong bytes", () => {
  const { encode, decode } = measureCode(createTypescriptCode(), { k: 8, r: 2, symbol: 64 }, 2, brief);
  expect(encode).toBeGreaterThan(0);
  expect(decode).toBeGreaterThan(0);
  const wrong = { ...createTypescriptCode(), recover: () => true };
  expect(() => measureCode(wrong, { k: 8, r: 2, symbol: 64 }, 2, brief)).toThrow("restored wrong bytes");
});
