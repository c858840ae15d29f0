import { expect, test } from "bun:test";
import type { NamedCommand } from "../model/package-command.ts";
import { commandOf } from "./task-command.ts";

const commands: NamedCommand[] = [
  { name: "install", lines: [{ os: "windows", shell: "powershell", line: "./install.ps1" }] },
];
const task = { action: "run", command: null, run: null } as const;

test.each([
  [{ ...task, action: "pre-cache" } as const, "linux", { kind: "none" }],
  [{ ...task, command: "./x" }, "linux", { kind: "line", command: "./x", shell: null }],
  [{ ...task, run: "install" }, "windows", { kind: "line", command: "./install.ps1", shell: "powershell" }],
  [{ ...task, run: "install" }, "linux", { kind: "missing", reason: expect.stringContaining("for linux") }],
  [{ ...task, run: "remove" }, "windows", { kind: "missing", reason: expect.stringContaining('"remove"') }],
] as const)("the command of %j on %s", (given, os, expected) => {
  expect(commandOf(given, commands, os)).toEqual(expected as ReturnType<typeof commandOf>);
});
