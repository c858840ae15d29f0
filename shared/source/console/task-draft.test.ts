import { expect, test } from "bun:test";
import * as v from "valibot";
import { taskCreateSchema } from "../../api/schema/admin.ts";
import { draftProblems, emptyDraft, requestOf, type TaskDraft } from "./pages/task-draft.ts";

const nowMs = Date.parse("2030-01-31T12:00");
const complete: TaskDraft = { ...emptyDraft, name: "tool", version: "1.2" };

test("a draft names every field that is missing or impossible", () => {
  expect(draftProblems(emptyDraft, nowMs)).toEqual({ name: "noPackage" });
  expect(draftProblems(complete, nowMs)).toEqual({});
  const wrong: TaskDraft = {
    ...complete,
    action: "line",
    target: " ",
    startKind: "at",
    start: "2030-02-02T10:00",
    deadline: "2030-02-02T09:00",
    expires: "2030-02-01T10:00",
    notWhile: "excel.exe, C:\\word.exe",
  };
  expect(draftProblems(wrong, nowMs)).toEqual({
    command: "noLine",
    target: "noTarget",
    deadline: "deadlineBeforeStart",
    expires: "expiryBeforeStart",
    notWhile: "programPath",
  });
  expect(draftProblems({ ...complete, startKind: "local" }, nowMs)).toEqual({ start: "noStart" });
});

test("a draft becomes a request that the schema of the API takes", () => {
  const run: TaskDraft = {
    ...complete,
    action: "line",
    command: " ./setup ",
    startKind: "local",
    start: "2030-02-01T22:00",
    notWhile: "EXCEL.EXE, code",
  };
  expect(v.parse(taskCreateSchema, requestOf(run))).toMatchObject({
    package: "tool@1.2",
    action: "run",
    command: "./setup",
    run: null,
    startAtMs: Date.parse("2030-02-01T22:00Z"),
    startIsLocal: true,
    notWhile: ["EXCEL.EXE", "code"],
  });
  // Fields that the form hides are not sent.
  expect(requestOf({ ...run, action: "pre-cache" })).toMatchObject({ command: null, notWhile: [] });
});
