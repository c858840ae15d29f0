/** docs/OPERATIONS.md lists the words of target expressions as the code's table has them. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { targetWords } from "../../shared/model/target/index.ts";

test("docs/OPERATIONS.md lists every word of target expressions with its meaning and example", async () => {
  const text = await Bun.file(join(import.meta.dir, "../../docs/OPERATIONS.md")).text();
  const lines = text.split("\n");
  const from = lines.findIndex((line) => /^\| word +\| names/.test(line)) + 2;
  const count = lines.slice(from).findIndex((line) => !line.startsWith("|"));
  const rows = lines.slice(from, from + count).map((line) =>
    line
      .split("|")
      .slice(1, 4)
      .map((cell) => cell.trim()),
  );
  const words = Object.entries(targetWords).map(([word, { about, example }]) => [
    `\`${word}\``,
    about,
    `\`${example}\``,
  ]);
  expect(rows).toEqual(words);
});
