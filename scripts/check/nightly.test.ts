/**
 * The nightly list of docs/TESTING.md: every command has a bound on its time, and the project has
 * each script, command and option. No command is run, only its help.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { runToEnd } from "../rig/process.ts";

const root = join(import.meta.dir, "../..");
const page = await Bun.file(join(root, "docs/TESTING.md")).text();
const section = page.split("\n## Nightly\n")[1]?.split("\n## ")[0] ?? "";
const commands = [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, command]) => command!);
const { scripts } = (await Bun.file(join(root, "package.json")).json()) as {
  scripts: Record<string, string>;
};

type Parts = { readonly minutes: number; readonly script: string; readonly words: readonly string[] };
function partsOf(command: string): Parts {
  const match = /^timeout (\d+)m bun run ([\w-]+)(?: --)?(?: (.*))?$/.exec(command);
  if (match === null) throw new Error(`"${command}" is not "timeout Nm bun run NAME …"`);
  return { minutes: Number(match[1]), script: match[2]!, words: match[3]?.split(" ") ?? [] };
}

test("the nightly list has a command of each kind, with bounds that fit into a night", () => {
  const parts = commands.map(partsOf);
  expect([...new Set(parts.map(({ script }) => script))].toSorted()).toEqual(
    expect.arrayContaining(["bench", "chaos", "fuzz", "imaging-lab", "lab", "simulate"]),
  );
  const minutes = parts.reduce((sum, one) => sum + one.minutes, 0);
  expect(minutes).toBeLessThanOrEqual(8 * 60);
  expect(Math.max(...parts.map((one) => one.minutes))).toBeLessThanOrEqual(60);
});

test("every command of the nightly list exists with its options", async () => {
  const helps = new Map<string, string>();
  for (const { script, words } of commands.map(partsOf)) {
    const file = scripts[script]?.split(" ").at(-1);
    expect([script, file]).toEqual([script, `scripts/${script}.ts`]);
    const sub = words[0]?.startsWith("--") === false ? [words[0]] : [];
    const key = [script, ...sub].join(" ");
    if (!helps.has(key)) {
      const { status, stdout } = await runToEnd([process.execPath, join(root, file!), ...sub, "--help"]);
      expect([key, status]).toEqual([key, 0]);
      expect(stdout).toStartWith(`Usage: bun run ${script}`);
      // The help of a program instead of a command lists no such command.
      if (sub.length > 0) expect(stdout.split("\n")[0]).toContain(` ${sub[0]} `);
      helps.set(key, stdout);
    }
    for (const option of words.filter((word) => word.startsWith("--")))
      expect([key, option, helps.get(key)!.includes(`  ${option} `)]).toEqual([key, option, true]);
  }
}, 120_000);
