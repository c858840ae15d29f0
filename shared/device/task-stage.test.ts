import { expect, test } from "bun:test";
import { problemReason, reason } from "../model/reason.ts";
import { BugError } from "../model/assert.ts";
import { nextTaskStage, isBlocked, isBackingOff, type TaskStage, type WaitCause } from "./task-stage.ts";

const waiting = (cause: WaitCause, blocked = false): TaskStage => ({
  kind: "waiting",
  cause,
  note: null,
  isBlocked: blocked,
});
const stages: readonly TaskStage[] = [
  waiting("new"),
  { kind: "session", note: null },
  { kind: "verifying" },
  { kind: "ready", note: reason("detects"), isBlocked: false },
  { kind: "running" },
  { kind: "ended" },
];
/** The table of docs/PROTOCOL.md, "States". */
const legal: Record<TaskStage["kind"], readonly TaskStage["kind"][]> = {
  waiting: ["waiting", "session", "verifying", "ended"],
  session: ["session", "waiting", "verifying", "ended"],
  verifying: ["waiting", "ready", "running", "ended"],
  ready: ["ready", "waiting", "running", "ended"],
  running: ["waiting", "ready", "ended"],
  ended: [],
};
const pairs = stages.flatMap((from) => stages.map((to) => [from.kind, to.kind, from, to] as const));

test.each(pairs)("a task changes from %s to %s only if that is legal", (_, __, from, to) => {
  if (legal[from.kind].includes(to.kind)) expect(nextTaskStage(from, to)).toBe(to);
  else expect(() => nextTaskStage(from, to)).toThrow(BugError);
});

test("an illegal change of a task names both stages", () => {
  expect(() => nextTaskStage({ kind: "ended" }, { kind: "running" })).toThrow(
    "illegal change of a task: ended → running",
  );
});

test.each<[what: string, outcome: string, stage: TaskStage]>([
  ["is new", "neither backing off nor blocked", waiting("new")],
  ["waits for its start time", "neither backing off nor blocked", waiting("start-time")],
  ["waits for another task", "neither backing off nor blocked", waiting("other-task")],
  ["waits after an error", "backing off", waiting("back-off")],
  ["waits for a person after an error", "backing off and blocked", waiting("back-off", true)],
  ["waits for room that a person has to make", "blocked", waiting("package", true)],
  [
    "tries again after an error",
    "neither backing off nor blocked",
    { kind: "session", note: problemReason("404") },
  ],
  ["is verified", "neither backing off nor blocked", { kind: "verifying" }],
  ["ended", "neither backing off nor blocked", { kind: "ended" }],
])("a task that %s is %s", (_, outcome, stage) => {
  const found = [isBackingOff(stage) && "backing off", isBlocked(stage) && "blocked"].filter(Boolean);
  expect(found.join(" and ") || "neither backing off nor blocked").toBe(outcome);
});
