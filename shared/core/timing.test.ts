import { expect, test } from "bun:test";
import { join } from "node:path";
import { timing } from "./timing.ts";

const protocol = await Bun.file(join(import.meta.dir, "../../docs/PROTOCOL.md")).text();
const section = (title: string): string => protocol.split(`\n## ${title}\n`)[1]!.split("\n## ")[0]!;

test("docs/PROTOCOL.md lists every timer with its value, and no other", () => {
  const listed = [...section("Timers").matchAll(/^\| `(\w+)`\s*\| ([\d,]+)\s*\|/gm)].map(
    ([, name, value]) => [name!, Number(value!.replaceAll(",", ""))],
  );
  expect(Object.fromEntries(listed)).toEqual({ ...timing });
});
