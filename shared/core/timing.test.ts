import { expect, test } from "bun:test";
import { join } from "node:path";
import { roleTransitions } from "./roles.ts";
import { timing } from "./timing.ts";

const protocol = await Bun.file(join(import.meta.dir, "../../docs/PROTOCOL.md")).text();
const section = (title: string): string => protocol.split(`\n## ${title}\n`)[1]!.split("\n## ")[0]!;

test("docs/PROTOCOL.md lists every timer with its value, and no other", () => {
  const listed = [...section("Timers").matchAll(/^\| `(\w+)`\s*\| ([\d,]+)\s*\|/gm)].map(
    ([, name, value]) => [name!, Number(value!.replaceAll(",", ""))],
  );
  expect(Object.fromEntries(listed)).toEqual({ ...timing });
});

test("docs/PROTOCOL.md lists the legal role changes", () => {
  const listed = [
    ...section("States").matchAll(/^\| (idle|candidate|peer|representative)\s*\| ([a-z, ]+?)\s*\|$/gm),
  ].map(([, from, to]) => [from!, to!.split(", ")]);
  expect(Object.fromEntries(listed)).toEqual(roleTransitions);
});
