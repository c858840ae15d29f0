import { expect, test } from "bun:test";
import { join } from "node:path";

const hostname = "pc\u001b[2J\u009b31m\u202e\n7  forged  row";
const visible = String.raw`pc\x1b[2J\x9b31m\u202e\x0a7  forged  row`;

const file = (name: string): string => JSON.stringify(join(import.meta.dir, name));

/** Runs a script that may import what prints; returns its output. */
async function printed(script: string): Promise<{ out: string; err: string }> {
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import * as output from ${file("standard-output.ts")};
       import { printTable } from ${file("source/commands/print.ts")};
       import { Command } from "@commander-js/extra-typings";
       const hostname = ${JSON.stringify(hostname)};
       ${script}`,
    ],
    { cwd: import.meta.dir, stdout: "pipe", stderr: "pipe" },
  );
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { out, err };
}

test("prints lines, tables, notes and usage errors with hidden characters as escapes", async () => {
  const { out, err } = await printed(`
    output.printLine(hostname);
    printTable(["HOST", "ID"], [[hostname, "1"], ["pc", "2"]]);
    new output.TerminalDrawing().show([hostname]);
    output.printNote(hostname);
    new Command("x").exitOverride().configureOutput(output.commanderOutput).parse(["--" + hostname], { from: "user" });`);
  expect(out.split("\n")).toEqual([
    visible,
    `${"HOST".padEnd(visible.length)}  ID`,
    `${visible}  1`,
    `${"pc".padEnd(visible.length)}  2`,
    `\u001b[J${visible}`,
    "",
  ]);
  // The words of a command line keep their line breaks: a help page has several lines.
  expect(err.split("\n").slice(0, 3)).toEqual([
    visible,
    String.raw`error: unknown option '--pc\x1b[2J\x9b31m\u202e`,
    "7  forged  row'",
  ]);
});

test("prints JSON of exactly the value, without hidden characters", async () => {
  const { out } = await printed("output.printJson([{ hostname }]);");
  expect(JSON.parse(out)).toEqual([{ hostname }]);
  expect(out.replaceAll("\n", "")).toMatch(/^[ -~]+$/);
});
