/**
 * Draft of a task, as the form holds it: texts of its fields, what is wrong with them, and the
 * request that they make. The source checks the request again.
 */
import type { PublishedPackage, TaskCreate, TaskDetail, TaskEdit } from "../../../api/schema/admin.ts";
import {
  anyDisk,
  diskChoiceForm,
  parseDiskChoice,
  type DiskChoice,
  type MachineEnd,
} from "../../../model/image-order.ts";

export type DraftAction = "pre-cache" | "named" | "line" | "upgrade" | "image";
export type DraftStart = "now" | "at" | "local";

/** Empty text: the field is not given. Times are those of the browser's input, in its own zone. */
export type TaskDraft = {
  readonly name: string;
  readonly version: string;
  readonly action: DraftAction;
  readonly run: string;
  readonly command: string;
  readonly target: string;
  readonly startKind: DraftStart;
  readonly start: string;
  readonly deadline: string;
  readonly expires: string;
  /** Names of programs, separated by commas. */
  readonly notWhile: string;
  readonly setting: string;
  /** Id of a task whose command has to succeed before. */
  readonly after: string;
  readonly allowDowngrade: boolean;
  /** Conditions on the disk of an image (parseDiskChoice); empty: the only fixed disk. */
  readonly disk: string;
  readonly overwrite: boolean;
  readonly machineEnd: MachineEnd;
  readonly wakes: boolean;
};

type DraftPackage = Pick<PublishedPackage, "name" | "version"> & {
  readonly commands: readonly Pick<PublishedPackage["commands"][number], "name">[];
};

export const emptyDraft: TaskDraft = {
  name: "",
  version: "",
  action: "pre-cache",
  run: "",
  command: "",
  target: "all",
  startKind: "now",
  start: "",
  deadline: "",
  expires: "",
  notWhile: "",
  setting: "",
  after: "",
  allowDowngrade: false,
  disk: "",
  overwrite: false,
  machineEnd: "stay",
  wakes: false,
};

/** Returns a draft with a package, and with its command if there is one only. */
export function draftWith(chosen: DraftPackage | undefined): TaskDraft {
  if (chosen === undefined) return emptyDraft;
  const { name, version, commands } = chosen;
  const [only] = commands.length === 1 ? commands : [];
  const action = only === undefined ? {} : ({ action: "named", run: only.name } as const);
  return { ...emptyDraft, name, version, ...action };
}

/** Whether the task runs a command of its own: only then its conditions count. */
export const runsCommand = ({ action }: Pick<TaskDraft, "action">): boolean =>
  action === "named" || action === "line";

export type DraftProblem =
  | "noPackage"
  | "noCommand"
  | "noLine"
  | "noDisk"
  | "noTarget"
  | "noStart"
  | "deadlineBeforeStart"
  | "expiryBeforeStart"
  | "expiryPassed"
  | "noExpiry"
  | "noTaskId"
  | "programPath";
export type DraftProblems = Partial<Record<keyof TaskDraft, DraftProblem>>;

/** A draft in its form. */
export type FieldsState = {
  readonly draft: TaskDraft;
  readonly change: (part: Partial<TaskDraft>) => void;
  readonly problems: DraftProblems;
};

/** Upper bound on the characters of a text field; the source has lower ones for some. */
export const textLengthMax = 8_192;

const programsOf = ({ notWhile }: TaskDraft): string[] =>
  notWhile
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

/** Returns the conditions on the disk; null: they are wrong. */
function diskOf({ disk }: TaskDraft): DiskChoice | null {
  if (disk.trim() === "") return anyDisk;
  try {
    return parseDiskChoice(disk);
  } catch {
    return null;
  }
}

const timeOf = (text: string): number | null => (text === "" ? null : Date.parse(text));

/** Returns the start in UTC by the clock of the browser. */
function startMs({ startKind, start }: TaskDraft, nowMs: number): number {
  return startKind === "now" ? nowMs : (timeOf(start) ?? nowMs);
}

/** Returns what is wrong, by field. */
export function draftProblems(draft: TaskDraft, nowMs: number): DraftProblems {
  const begins = startMs(draft, nowMs);
  const [deadline, expires] = [timeOf(draft.deadline), timeOf(draft.expires)];
  const isRun = runsCommand(draft);
  const problems: [keyof TaskDraft, DraftProblem, boolean][] = [
    ["name", "noPackage", draft.name === "" || draft.version === ""],
    ["run", "noCommand", draft.action === "named" && draft.run === ""],
    ["command", "noLine", draft.action === "line" && draft.command.trim() === ""],
    ["disk", "noDisk", draft.action === "image" && diskOf(draft) === null],
    ["target", "noTarget", draft.target.trim() === ""],
    ["start", "noStart", draft.startKind !== "now" && draft.start === ""],
    ["deadline", "deadlineBeforeStart", isRun && deadline !== null && deadline <= begins],
    ["expires", "expiryBeforeStart", expires !== null && expires <= begins],
    ["expires", "expiryPassed", expires !== null && expires <= nowMs],
    ["after", "noTaskId", isRun && draft.after !== "" && !/^[1-9]\d{0,14}$/.test(draft.after)],
    ["notWhile", "programPath", isRun && programsOf(draft).some((one) => /[/\\]/.test(one))],
  ];
  return Object.fromEntries(
    problems.filter(([, , isWrong]) => isWrong).map(([field, problem]) => [field, problem]),
  );
}

/** Returns the request that creates the task. */
export function requestOf(draft: TaskDraft): TaskCreate {
  const isRun = runsCommand(draft);
  const startAtMs = startOf(draft);
  return {
    package: `${draft.name}@${draft.version}`,
    action: draft.action === "named" || draft.action === "line" ? "run" : draft.action,
    run: draft.action === "named" ? draft.run : null,
    command: draft.action === "line" ? draft.command.trim() : null,
    image:
      draft.action === "image"
        ? { disk: diskOf(draft) ?? anyDisk, overwrite: draft.overwrite, machineEnd: draft.machineEnd }
        : null,
    setting: draft.setting === "" ? null : draft.setting,
    target: draft.target.trim(),
    startAtMs,
    startIsLocal: startAtMs !== null && draft.startKind === "local",
    deadlineAtMs: isRun ? timeOf(draft.deadline) : null,
    notWhile: isRun ? programsOf(draft) : [],
    expiresAtMs: timeOf(draft.expires),
    allowDowngrade: draft.action !== "pre-cache" && draft.allowDowngrade,
    after: isRun && draft.after !== "" ? Number(draft.after) : null,
    wakes: draft.wakes,
  };
}

/** Returns the start; null: at once. A time of each device's own clock is written as if UTC. */
const startOf = ({ startKind, start }: TaskDraft): number | null =>
  startKind === "now" || start === "" ? null : Date.parse(startKind === "local" ? `${start}Z` : start);

/** Returns a time as the input of the browser has it: in its zone, to the minute. */
function inputTime(atMs: number | null): string {
  if (atMs === null) return "";
  const offsetMs = new Date(atMs).getTimezoneOffset() * 60_000;
  return new Date(atMs - offsetMs).toISOString().slice(0, 16);
}

/** Returns the draft that a task would have come from. */
export function draftOf(task: TaskDetail): TaskDraft {
  const { action, run, startAtMs, startIsLocal } = task;
  return {
    name: task.packageName,
    version: task.packageVersion,
    action: action === "run" ? (run === null ? "line" : "named") : action,
    run: run ?? "",
    command: task.command ?? "",
    target: task.target,
    startKind: startIsLocal ? "local" : "at",
    start: startIsLocal ? new Date(startAtMs).toISOString().slice(0, 16) : inputTime(startAtMs),
    deadline: inputTime(task.deadlineAtMs),
    expires: inputTime(task.expiresAtMs),
    notWhile: task.notWhile.join(", "),
    setting: task.setting ?? "",
    after: task.after === null ? "" : String(task.after),
    allowDowngrade: task.allowDowngrade,
    disk: task.image == null ? "" : diskChoiceForm(task.image.disk),
    overwrite: task.image?.overwrite ?? false,
    machineEnd: task.image?.machineEnd ?? "stay",
    wakes: task.wakes,
  };
}

/** Returns the draft of a copy, which has times of its own. */
export const copyOf = (task: TaskDetail): TaskDraft => ({
  ...draftOf(task),
  startKind: "now",
  start: "",
  deadline: "",
  expires: "",
});

/** Returns what is wrong with an edited task, by field. */
export const editProblems = (draft: TaskDraft, nowMs: number): DraftProblems => ({
  ...draftProblems(draft, nowMs),
  ...(draft.expires === "" ? { expires: "noExpiry" as const } : {}),
});

/** Returns the request that changes a task from one draft to the other; empty: nothing differs. */
export function editOf(before: TaskDraft, after: TaskDraft, nowMs: number): TaskEdit {
  const wanted = requestOf(after);
  const differs = (...fields: readonly (keyof TaskDraft)[]): boolean =>
    fields.some((field) => before[field] !== after[field]);
  return {
    ...(differs("target") ? { target: wanted.target } : {}),
    ...(differs("start", "startKind")
      ? { startAtMs: wanted.startAtMs ?? nowMs, startIsLocal: wanted.startIsLocal === true }
      : {}),
    ...(differs("deadline") ? { deadlineAtMs: wanted.deadlineAtMs ?? null } : {}),
    ...(differs("expires") && after.expires !== "" ? { expiresAtMs: Date.parse(after.expires) } : {}),
    ...(differs("notWhile") ? { notWhile: wanted.notWhile ?? [] } : {}),
    ...(differs("setting") ? { setting: wanted.setting } : {}),
    ...(differs("wakes") ? { wakes: after.wakes } : {}),
  };
}
