/**
 * docs/GLOSSARY.md has an entry for every frame, role, phase, timer, state within a role, unicast
 * reason and task state of the code. The other terms of the page are not checked here; mentions.ts checks the file names.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { deviceTaskStateSchema } from "../../shared/api/schema/common.ts";
import { deliveryTransitions } from "../../shared/core/delivery/delivery-mode.ts";
import { candidateTransitions } from "../../shared/core/election/candidate-stage.ts";
import { roleTransitions } from "../../shared/core/roles.ts";
import { timing } from "../../shared/core/timing.ts";
import { taskRowSchema } from "../../shared/device/task-record.ts";
import { stageTransitions } from "../../shared/device/task-stage.ts";
import { frameTypes, phases } from "../../shared/wire/frames.ts";

const root = join(import.meta.dir, "../..");
const glossary = await Bun.file(join(root, "docs/GLOSSARY.md")).text();

const section = (title: string): string => glossary.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";

/** Names in backticks of one column (from 0) of the table that begins with `header`. */
function namesOf(title: string, header: string, column = 0): string[] {
  const lines = section(title).split("\n");
  const from = lines.findIndex((line) => line.startsWith(`| ${header} `));
  const count = lines.slice(from).findIndex((line) => !line.startsWith("|"));
  return lines
    .slice(from, from + count)
    .flatMap((line) => [...line.split("|")[column + 1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

/** Non-empty members of a union of strings, read from the source text because types do not exist at run time. */
async function unionMembersOf(path: string, type: string): Promise<string[]> {
  const source = await Bun.file(join(root, path)).text();
  const declaration = source.split(`export type ${type} =`)[1]?.split(";")[0] ?? "";
  return [...declaration.matchAll(/"([^"]*)"/g)].map(([, name]) => name!).filter((name) => name !== "");
}

describe("docs/GLOSSARY.md lists those of the code and no others:", () => {
  test("frames", () => expect(namesOf("Frames", "frame")).toEqual(Object.keys(frameTypes)));

  test("roles", () => expect(namesOf("Roles", "role")).toEqual(Object.keys(roleTransitions)));

  test("phases", () => expect(namesOf("Phases", "phase")).toEqual(Object.keys(phases)));

  test("timers", () =>
    expect(namesOf("Timers", "group", 3).toSorted()).toEqual(Object.keys(timing).toSorted()));

  test("states within a role", () => {
    const stages = namesOf("States within a role", "stage of a candidate");
    expect(stages).toEqual(Object.keys(candidateTransitions));
    expect(namesOf("States within a role", "delivery mode")).toEqual(Object.keys(deliveryTransitions));
    expect(namesOf("Task states", "stage")).toEqual(Object.keys(stageTransitions));
  });

  test("unicast reasons", async () => {
    const reasons = await unionMembersOf("shared/core/delivery/delivery-mode.ts", "UnicastReason");
    expect(reasons).not.toEqual([]);
    expect(namesOf("Unicast reasons", "reason")).toEqual(reasons);
  });

  test("task states", () => {
    const states: readonly string[] = deviceTaskStateSchema.options;
    expect(namesOf("Task states", "state")).toEqual([...states]);
  });

  test("states of a task in the ledger", () => {
    const states: readonly string[] = taskRowSchema.entries.life.options;
    expect(namesOf("Task states", "life")).toEqual([...states]);
  });
});
