import { expect, test } from "bun:test";
import type { AgentTask } from "../api/schema/agent.ts";
import { eraseSecrets, newTaskRow } from "./task-record.ts";
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

const ordered = (sequence: number, more: Partial<AgentTask> = {}): AgentTask =>
  install("1.0", { id: sequence, startAtMs: 0, sequence, ...more });
const upgrade = { action: "upgrade", run: null, packageName: "agent" } as const;

test.each<[what: string, task: AgentTask, before: AgentTask, refused: boolean]>([
  ["of a newer order", ordered(20), ordered(10), false],
  ["of an order that was kept back", ordered(10), ordered(20), true],
  ["of a kept back order that allows a downgrade", ordered(10, { allowDowngrade: true }), ordered(20), true],
  ["of a kept back uninstall", ordered(10, { run: "uninstall" }), ordered(20), true],
  ["that a newer uninstall undid", ordered(10), ordered(20, { run: "uninstall" }), true],
  ["of an older order that was to start later", ordered(10, { startAtMs: 30 }), ordered(20), false],
  ["of a later start that was kept back", ordered(10, { startAtMs: 30 }), ordered(40), true],
  ["of an older order for another command", ordered(10, { run: "detect-all" }), ordered(20), false],
  ["of an older order for another package", ordered(10, { packageName: "b" }), ordered(20), false],
  ["without a known order", ordered(0), ordered(20), false],
  ["after one without a known order", ordered(10), ordered(0, { id: 5 }), false],
  ["of a kept back upgrade", ordered(10, upgrade), ordered(20, { ...upgrade, packageName: "agent-2" }), true],
  ["of an upgrade after a newer command", ordered(10, upgrade), ordered(20, { packageName: "agent" }), false],
])("a command %s", (_, task, before, refused) => {
  expect(downgradeReason(task, ran(before))?.code ?? null).toBe(refused ? "newer-order-ran" : null);
});

test("a command of a kept back order is refused after the text of the newer one was erased", () => {
  const rows = ran(ordered(20, text));
  expect(rows.map(eraseSecrets)).toEqual([true]);
  const refused = (task: AgentTask) => downgradeReason(task, rows)?.code ?? null;
  expect(refused(ordered(10, text))).toBe("newer-order-ran");
  expect(refused(ordered(10, { ...text, allowDowngrade: true }))).toBe("newer-order-ran");
  expect(refused(ordered(10, { ...text, command: "./setup -x" }))).toBeNull();
});

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
