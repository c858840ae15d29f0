import { expect, test } from "bun:test";
import type { AgentTask } from "../api/schema/agent.ts";
import { newTaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";
import { downgradeReason } from "./version-guard.ts";

const install = (packageVersion: string, more: Partial<AgentTask> = {}): AgentTask => ({
  ...taskForTest(),
  action: "run",
  run: "install",
  packageVersion,
  ...more,
});
const uninstall = (version: string): AgentTask => install(version, { run: "uninstall" });
const text = { run: null, command: "./setup" };
/** Rows of tasks whose commands succeeded in this order. */
const ran = (...tasks: AgentTask[]) =>
  tasks.map((task, index) => Object.assign(newTaskRow(task), { ranAs: index + 1 }));

test.each<[what: string, task: AgentTask, rows: ReturnType<typeof ran>, refused: boolean]>([
  ["the first version", install("1.0"), [], false],
  ["a lower version", install("1.10"), ran(install("2.0")), true],
  ["the same version", install("2.0"), ran(install("2.0")), false],
  ["a higher version", install("10.0"), ran(install("9.0")), false],
  [
    "a version below the highest, but above the last",
    install("1.5"),
    ran(install("2.0"), install("1.0")),
    false,
  ],
  [
    "a version below the last in any order of rows",
    install("1.0"),
    ran(install("1.0"), install("2.0")).toReversed(),
    true,
  ],
  ["a lower version that is allowed", install("1.0", { allowDowngrade: true }), ran(install("2.0")), false],
  ["another package", install("1.0", { packageName: "other" }), ran(install("2.0")), false],
  [
    "a package whose name differs by case",
    install("1.0", { packageName: "TOOL" }),
    ran(install("2.0")),
    true,
  ],
  ["another command", install("1.0", { run: "configure" }), ran(install("2.0")), false],
  ["equal text", install("1.0", text), ran(install("2.0", text)), true],
  ["another text", install("1.0", { ...text, command: "./setup -x" }), ran(install("2.0", text)), false],
  ["a lower version after an uninstall", install("1.0"), ran(install("2.0"), uninstall("2.0")), false],
  ["a lower version installed again after that", install("1.0"), ran(uninstall("3.0"), install("2.0")), true],
  ["an uninstall of a lower version", uninstall("1.0"), ran(uninstall("2.0"), install("3.0")), false],
  [
    "a version that pre-caches",
    install("1.0", { action: "pre-cache", run: null }),
    ran(install("2.0")),
    false,
  ],
  ["a version below one that failed", install("1.0"), [newTaskRow(install("2.0"))], false],
])("%s", (_, task, rows, refused) => {
  const why = downgradeReason(task, rows);
  expect(why?.code ?? null).toBe(refused ? "higher-version-ran" : null);
});
