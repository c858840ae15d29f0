import { expect, test } from "bun:test";
import { printable, printableJson } from "./printable.ts";

test("control characters are visible, and letters stay", () => {
  expect(printable("pc\u001b[2J\n\u009b31m\u0007 Zürich 😀")).toBe("pc\\x1b[2J\\x0a\\x9b31m\\x07 Zürich 😀");
});

test("characters that hide or turn text are visible, and emoji with a variant stay", () => {
  expect(printable("a\u202eexe.txt \u200b\u2028\u2029\ufeff\u{e0041}\u3164\ud800")).toBe(
    "a\\u202eexe.txt \\u200b\\u2028\\u2029\\ufeff\\u{e0041}\\u3164\\ud800",
  );
  expect(printable("❤️ עברית العربية")).toBe("❤️ עברית العربية");
});

test("JSON keeps its value with hidden characters as escapes, and its line breaks", () => {
  const value = { "a\u009b": ["\u001b]52;c;x\u0007", "\u007f\u202e\u2028", "\u{e0041}é"] };
  const json = printableJson(JSON.stringify(value, null, 2));
  expect(JSON.parse(json)).toEqual(value);
  expect(json.replaceAll("\n", "")).toBe(printable(json.replaceAll("\n", "")));
  expect(json.split("\n").length).toBe(7);
});
