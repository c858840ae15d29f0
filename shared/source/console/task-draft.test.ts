import { expect, test } from "bun:test";
import * as v from "valibot";
import { taskCreateSchema, taskEditSchema, type TaskDetail } from "../../api/schema/admin.ts";
import {
  copyOf,
  draftOf,
  draftProblems,
  editOf,
  editProblems,
  emptyDraft,
  requestOf,
  type TaskDraft,
} from "./pages/task-draft.ts";

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

test("a draft of an image names the disk, and says what is wrong with its conditions", () => {
  const image: TaskDraft = {
    ...complete,
    action: "image",
    disk: "model=QEMU*, min=200GB",
    overwrite: true,
    machineEnd: "reboot",
  };
  const request = v.parse(taskCreateSchema, requestOf(image));
  expect(request.image).toEqual({
    disk: { path: null, model: "QEMU*", serial: null, minBytes: 200e9, maxBytes: null },
    overwrite: true,
    machineEnd: "reboot",
  });
  expect(draftProblems({ ...image, disk: "size=5" }, nowMs)).toEqual({ disk: "noDisk" });
  const copied = draftOf({ ...task, action: "image", command: null, image: request.image });
  expect(requestOf(copied).image).toEqual(request.image);
});

const task: TaskDetail = {
  id: 7,
  packageId: "ab".repeat(32),
  packageName: "tool",
  packageVersion: "1.2",
  packageBytes: 5,
  action: "run",
  image: null,
  command: "./setup",
  run: null,
  setting: "kiosk",
  target: "tag=b7",
  version: 1,
  allowDowngrade: true,
  wakes: true,
  after: 3,
  state: "running",
  endedWhy: null,
  endedAtMs: null,
  createdAtMs: nowMs,
  startAtMs: Date.parse("2030-01-31T10:00:12.345Z"),
  startIsLocal: false,
  deadlineAtMs: Date.parse("2030-03-01T10:00Z"),
  notWhile: ["EXCEL.EXE", "code"],
  expiresAtMs: Date.parse("2030-04-01T10:00:59Z"),
  devices: {
    total: 0,
    complete: 0,
    rebootPending: 0,
    failed: 0,
    superseded: 0,
    expired: 0,
    offline: 0,
    absent: 0,
  },
  absentSinceMs: null,
  countedAtMs: null,
  isSigned: true,
  subnets: [],
  nextSubnets: null,
  deviceList: [],
  nextDevices: null,
  absentList: [],
};

test("an edit states what differs alone, and times that nobody touched keep their seconds", () => {
  const before = draftOf(task);
  expect(editOf(before, before, nowMs)).toEqual({});
  expect(editProblems(before, nowMs)).toEqual({});
  const after: TaskDraft = {
    ...before,
    target: "all ",
    startKind: "local",
    start: "2030-02-01T22:00",
    deadline: "",
    expires: "2030-05-01T10:00",
    notWhile: "",
    setting: "",
    wakes: false,
  };
  expect(v.parse(taskEditSchema, editOf(before, after, nowMs))).toEqual({
    target: "all",
    startAtMs: Date.parse("2030-02-01T22:00Z"),
    startIsLocal: true,
    deadlineAtMs: null,
    expiresAtMs: Date.parse("2030-05-01T10:00"),
    notWhile: [],
    setting: null,
    wakes: false,
  });
  expect(editOf(before, { ...before, startKind: "now" }, nowMs)).toEqual({
    startAtMs: nowMs,
    startIsLocal: false,
  });
  expect(editProblems({ ...before, expires: "" }, nowMs)).toEqual({ expires: "noExpiry" });
});

test("a copy has everything of the task but its times", () => {
  expect(v.parse(taskCreateSchema, requestOf(copyOf(task)))).toMatchObject({
    package: "tool@1.2",
    action: "run",
    command: "./setup",
    target: "tag=b7",
    setting: "kiosk",
    notWhile: ["EXCEL.EXE", "code"],
    after: 3,
    allowDowngrade: true,
    startAtMs: null,
    deadlineAtMs: null,
    expiresAtMs: null,
  });
  const upgrade: TaskDetail = { ...task, action: "upgrade", command: null, after: null };
  expect(requestOf(copyOf(upgrade))).toMatchObject({ action: "upgrade", notWhile: [], after: null });
  expect(draftProblems({ ...copyOf(task), after: "seven" }, nowMs)).toEqual({ after: "noTaskId" });
});
