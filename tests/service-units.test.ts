/** The systemd units of docs/OPERATIONS.md, as systemd itself reads them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "../scripts/rig/process.ts";
import { withUnits } from "../scripts/generate/units.ts";
import { packageUnit } from "../scripts/package/units.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { takeoverVariables } from "../shared/platform/takeover-variables.ts";

const operations = readFileSync(join(import.meta.dir, "..", "docs", "OPERATIONS.md"), "utf8");
/** Name of a unit's file → its text. */
const units = new Map(
  [...operations.matchAll(/`([\w./-]+\.(?:service|conf))`[^`]*```\n([\s\S]*?)```/g)].map(
    ([, name, text]) => [name!, text!] as const,
  ),
);
const [agent, source, cachesOnly] = [
  "flockcast-peer.service",
  "flockcast-source.service",
  "flockcast-peer.service.d/no-commands.conf",
];

const packageUnits = (["flockcast-peer", "flockcast-source"] as const).map(
  (name) => [`package-${name}.service`, packageUnit(name)] as const,
);

const hasAnalyzer = Bun.which("systemd-analyze") !== null;
const analyzerTest = test.skipIf(!hasAnalyzer);
const named = (name: string): string =>
  hasAnalyzer ? name : `${name} (skipped: systemd-analyze is not installed)`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-units-"));
  mkdirSync(join(folder, "flockcast-peer.service.d"));
  // The programs are not installed here.
  for (const [name, text] of [...units, ...packageUnits])
    writeFileSync(join(folder, name), text.replaceAll(/^ExecStart=\S+/gm, "ExecStart=/bin/true"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const textOf = (name: string): string => units.get(name) ?? "";

test("the documents have a unit for the agent and the source, which clear all variables that are refused", () => {
  expect([...units.keys()].toSorted()).toEqual([agent, cachesOnly, source].toSorted());
  for (const name of [agent, source]) {
    const cleared = [...textOf(name).matchAll(/^UnsetEnvironment=(.*)$/gm)].flatMap(([, all]) =>
      all!.split(" "),
    );
    expect(cleared).toEqual(
      expect.arrayContaining([...takeoverVariables, "NODE_TLS_REJECT_UNAUTHORIZED", "LD_PRELOAD"]),
    );
  }
});

test("the documents have the units that the programs install", () => {
  expect(withUnits(operations)).toBe(operations);
});

test("the programs know the words of the units", async () => {
  for (const [name, role, command] of [
    [agent, "peer", "run"],
    [source, "source", "serve"],
  ] as const) {
    const [, line] = /^ExecStart=\S+ (.*)$/m.exec(textOf(name))!;
    const words = line!.split(" ").filter((word) => word.startsWith("--"));
    const { stdout } = await runToEnd([...programsFromSource.commandOf(role), command, "--help"]);
    for (const word of words) expect([name, word, stdout.includes(`${word} <`)]).toEqual([name, word, true]);
  }
});

analyzerTest(
  named("systemd reads the units without a warning"),
  async () => {
    for (const name of [agent, source, ...packageUnits.map(([file]) => file)]) {
      const { status, stderr } = await runToEnd(["systemd-analyze", "verify", join(folder, name)]);
      expect([name, status, stderr.trim()]).toEqual([name, 0, ""]);
    }
  },
  60_000,
);

analyzerTest(
  named("systemd judges the source, and an agent that runs no commands, as confined"),
  async () => {
    // A drop-in is read only by a running systemd, so the test joins the two.
    const confined = join(folder, "confined.service");
    writeFileSync(
      confined,
      readFileSync(join(folder, agent), "utf8").replace("[Service]", textOf(cachesOnly).trim()),
    );
    for (const [path, threshold] of [
      [join(folder, source), 35],
      [confined, 60],
    ] as const) {
      const words = ["security", "--offline=true", "--no-pager", `--threshold=${threshold}`, path];
      const { status, stdout } = await runToEnd(["systemd-analyze", ...words]);
      expect(status, stdout.trim().split("\n").at(-1)).toBe(0);
    }
  },
  60_000,
);
