import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { stageTransitions } from "../device/task-stage.ts";
import { BugError } from "../model/assert.ts";
import { deliveryTransitions } from "./delivery/delivery-mode.ts";
import { candidateTransitions, nextCandidateStage } from "./election/candidate-stage.ts";
import { phaseTransitions } from "./phase.ts";
import { assertTransition, roleTransitions } from "./roles.ts";

const protocol = await Bun.file(join(import.meta.dir, "../../docs/PROTOCOL.md")).text();
const states = protocol.split("\n## States\n")[1]!.split("\n### ")[0]!;

/** Rows of the table whose first column has this heading: from → to. */
function documented(heading: string): Record<string, string[]> {
  const table = states.split("\n\n").find((block) => block.startsWith(`| ${heading} `));
  const rows = (table ?? "").split("\n").slice(2);
  return Object.fromEntries(
    rows.map((row) => {
      const [, from, to] = row.split("|").map((cell) => cell.trim());
      return [from!, to === "none" ? [] : to!.split(", ")];
    }),
  );
}

describe("docs/PROTOCOL.md lists the legal changes of", () => {
  test.each([
    ["role", roleTransitions],
    ["candidate's stage", candidateTransitions],
    ["delivery mode", deliveryTransitions],
    ["phase", phaseTransitions],
    ["task's stage", stageTransitions],
  ])("%s", (heading, table) => {
    expect(documented(heading)).toEqual(table as unknown as Record<string, string[]>);
  });
});

describe("a change that a table does not list", () => {
  test("of a role is a bug", () => {
    expect(() => assertTransition("idle", "representative")).toThrow(BugError);
  });

  test("of a candidate names both stages", () => {
    expect(() =>
      nextCandidateStage({ kind: "granted" }, { kind: "observing", queriedAtMs: 0, isGuarded: false }),
    ).toThrow("illegal change of a candidate: granted → observing");
  });
});
