import { expect, test } from "bun:test";
import { reason } from "../model/reason.ts";
import type { NamedCommand } from "../model/package-command.ts";
import { commandOf } from "./task-command.ts";

const commands: NamedCommand[] = [
  {
    name: "detect",
    lines: [
      { os: "linux", shell: "sh", line: "test -e x" },
      { os: "windows", shell: "cmd", line: "if not exist x exit 1" },
    ],
  },
  { name: "install", lines: [{ os: "windows", shell: "powershell", line: "./install.ps1" }] },
  { name: "uninstall", lines: [{ os: "linux", shell: "sh", line: "rm x" }] },
];
const task = { action: "run", command: null, run: null } as const;

test.each([
  [{ ...task, action: "pre-cache" } as const, "linux", { kind: "none" }],
  [
    { ...task, command: "./x" },
    "linux",
    { kind: "line", line: { command: "./x", shell: null }, detect: null },
  ],
  [
    { ...task, run: "install" },
    "windows",
    {
      kind: "line",
      line: { command: "./install.ps1", shell: "powershell" },
      detect: { command: "if not exist x exit 1", shell: "cmd" },
    },
  ],
  [
    { ...task, run: "uninstall" },
    "linux",
    { kind: "line", line: { command: "rm x", shell: "sh" }, detect: null },
  ],
  [
    { ...task, run: "install" },
    "linux",
    { kind: "missing", reason: reason("no-command", { name: "install", os: "linux" }) },
  ],
  [
    { ...task, run: "remove" },
    "windows",
    { kind: "missing", reason: reason("no-command", { name: "remove", os: "windows" }) },
  ],
] as const)("the command of %j on %s", (given, os, expected) => {
  expect(commandOf(given, commands, os)).toEqual(expected as ReturnType<typeof commandOf>);
});
