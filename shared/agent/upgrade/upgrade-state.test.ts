import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "bun:test";
import { version } from "../../version.ts";
import { confirmTrial } from "./supervised.ts";
import {
  isUnderWay,
  readUpgrade,
  writeUpgrade,
  type UpgradeState,
  type UpgradeStep,
} from "./upgrade-state.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "flockcast-upgrade-state-"));
  folders.push(path);
  return path;
}

const stateIn = (step: UpgradeStep, more: Partial<UpgradeState> = {}): UpgradeState => ({
  format: 1,
  taskId: 7,
  key: "1 2.3",
  executable: "/opt/agent",
  before: "0.0.9",
  version,
  confirmMs: 5_000,
  step,
  ...more,
});

const steps: [UpgradeStep, boolean][] = [
  [{ kind: "prepared" }, true],
  [{ kind: "trial", starts: 2 }, true],
  [{ kind: "confirmed" }, true],
  [{ kind: "placed" }, false],
  [{ kind: "failed", why: "exited with status 1" }, false],
];

test.each(steps)("the step %j is read as it was written", (step, underWay) => {
  const folder = newFolder();
  writeUpgrade(folder, stateIn({ kind: "prepared" }));
  writeUpgrade(folder, stateIn(step));
  expect(readUpgrade(folder)).toEqual(stateIn(step));
  expect(isUnderWay(stateIn(step))).toBe(underWay);
});

test.each(["", "{", "null", '{"format":2}', JSON.stringify({ ...stateIn({ kind: "placed" }), taskId: -1 })])(
  "a file with %j counts as no upgrade",
  (text) => {
    const folder = newFolder();
    writeFileSync(join(folder, "upgrade.json"), text);
    expect(readUpgrade(folder)).toBeNull();
  },
);

test("fields of a later version are ignored", () => {
  const folder = newFolder();
  const state = stateIn({ kind: "trial", starts: 1 });
  writeFileSync(
    join(folder, "upgrade.json"),
    JSON.stringify({ ...state, later: 1, step: { ...state.step, later: 2 } }),
  );
  expect(readUpgrade(folder)).toEqual(state);
});

test("a check-in confirms the trial of this version only", () => {
  const folder = newFolder();
  expect(confirmTrial(folder)).toBe(false);
  for (const [step] of steps.filter(([{ kind }]) => kind !== "trial")) {
    writeUpgrade(folder, stateIn(step));
    expect(confirmTrial(folder)).toBe(false);
    expect(readUpgrade(folder)?.step).toEqual(step);
  }
  writeUpgrade(folder, stateIn({ kind: "trial", starts: 1 }, { version: "99" }));
  expect(confirmTrial(folder)).toBe(false);
  writeUpgrade(folder, stateIn({ kind: "trial", starts: 1 }));
  expect(confirmTrial(folder)).toBe(true);
  expect(readUpgrade(folder)).toEqual(stateIn({ kind: "confirmed" }));
});
