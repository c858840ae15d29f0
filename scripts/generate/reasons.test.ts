import { expect, test } from "bun:test";
import { join } from "node:path";
import { reasonsPage } from "./reasons.ts";

/** The formatter pads the cells of tables and wraps no line of them. */
const cells = (page: string): string[][] =>
  page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));

test("docs/REASONS.md lists every reason of the code with its parameters and words", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../docs/REASONS.md")).text();
  expect(cells(page)).toEqual(cells(reasonsPage()));
});
