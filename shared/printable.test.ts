import { expect, test } from "bun:test";
import { printable } from "./printable.ts";

test("control characters are visible, and letters stay", () => {
  expect(printable("pc\u001b[2J\n\u009b31m\u0007 Zürich 😀")).toBe("pc\\x1b[2J\\x0a\\x9b31m\\x07 Zürich 😀");
});
