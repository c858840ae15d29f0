import { expect, test } from "bun:test";
import { shownState, supersedes, type Superseding } from "./task-life.ts";

const task = (more: Partial<Superseding>): Superseding => ({
  id: 1,
  packageName: "editor",
  packageVersion: "1.0",
  action: "run",
  command: null,
  run: "install",
  allowDowngrade: false,
  ...more,
});

test.each<[what: string, higher: Partial<Superseding>, lower: Partial<Superseding>, expected: boolean]>([
  ["a higher version", { id: 2, packageVersion: "1.10" }, { packageVersion: "1.9" }, true],
  ["a higher version whose task is older", { id: 1, packageVersion: "2.0" }, { id: 2 }, true],
  [
    "an older one, unless the task may downgrade",
    { packageVersion: "2" },
    { id: 2, allowDowngrade: true },
    false,
  ],
  [
    "a later one, also if the task may downgrade",
    { id: 2, packageVersion: "2" },
    { allowDowngrade: true },
    true,
  ],
  ["no equal version", { id: 2 }, {}, false],
  ["no lower version", { id: 2, packageVersion: "0.9" }, {}, false],
  ["no other package", { id: 2, packageName: "viewer", packageVersion: "2" }, {}, false],
  ["a name in another case", { id: 2, packageName: "Editor", packageVersion: "2" }, {}, true],
  ["no other command", { id: 2, run: "uninstall", packageVersion: "2" }, {}, false],
  ["equal text", { id: 2, run: null, command: "x", packageVersion: "2" }, { run: null, command: "x" }, true],
  [
    "no other text",
    { id: 2, run: null, command: "y", packageVersion: "2" },
    { run: null, command: "x" },
    false,
  ],
  [
    "no task that pre-caches",
    { id: 2, action: "pre-cache", run: null, packageVersion: "2" },
    { action: "pre-cache", run: null },
    false,
  ],
  [
    "another upgrade of the agent",
    { id: 2, action: "upgrade", run: null, packageVersion: "2" },
    { action: "upgrade", run: null },
    true,
  ],
  [
    "no upgrade of the agent if it runs a command",
    { id: 2, action: "upgrade", run: null, packageVersion: "2" },
    {},
    false,
  ],
])("a task is superseded by %s", (_, higher, lower, expected) => {
  expect(supersedes(task(higher), task(lower))).toBe(expected);
});

test("a task is shown as scheduled until its start, and as done when it ended complete", () => {
  const at = { startAtMs: 10, startIsLocal: false, endedWhy: null };
  expect(shownState({ ...at, state: "active" }, 9)).toBe("scheduled");
  expect(shownState({ ...at, state: "active" }, 10)).toBe("running");
  expect(shownState({ ...at, state: "paused" }, 9)).toBe("paused");
  expect(shownState({ ...at, state: "ended", endedWhy: "complete" }, 20)).toBe("done");
  expect(shownState({ ...at, state: "ended", endedWhy: "expired" }, 20)).toBe("ended");
});
