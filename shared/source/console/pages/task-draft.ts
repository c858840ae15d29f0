/**
 * Draft of a task, as the form holds it: texts of its fields, what is wrong with them, and the
 * request that they make. The source checks the request again.
 */
import type { TaskCreate } from "../../../api/schema/admin.ts";

export type DraftAction = "pre-cache" | "named" | "line";
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
};

export type DraftProblem =
  | "noPackage"
  | "noCommand"
  | "noLine"
  | "noTarget"
  | "noStart"
  | "deadlineBeforeStart"
  | "expiryBeforeStart"
  | "expiryPassed"
  | "programPath";
export type DraftProblems = Partial<Record<keyof TaskDraft, DraftProblem>>;

/** Upper bound on the characters of a text field; the source has lower ones for some. */
export const textLengthMax = 8_192;

const programsOf = ({ notWhile }: TaskDraft): string[] =>
  notWhile
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

const timeOf = (text: string): number | null => (text === "" ? null : Date.parse(text));

/** Returns the start in UTC by the clock of the browser. */
function startMs({ startKind, start }: TaskDraft, nowMs: number): number {
  return startKind === "now" ? nowMs : (timeOf(start) ?? nowMs);
}

/** Returns what is wrong, by field. */
export function draftProblems(draft: TaskDraft, nowMs: number): DraftProblems {
  const begins = startMs(draft, nowMs);
  const [deadline, expires] = [timeOf(draft.deadline), timeOf(draft.expires)];
  const isRun = draft.action !== "pre-cache";
  const problems: [keyof TaskDraft, DraftProblem, boolean][] = [
    ["name", "noPackage", draft.name === "" || draft.version === ""],
    ["run", "noCommand", draft.action === "named" && draft.run === ""],
    ["command", "noLine", draft.action === "line" && draft.command.trim() === ""],
    ["target", "noTarget", draft.target.trim() === ""],
    ["start", "noStart", draft.startKind !== "now" && draft.start === ""],
    ["deadline", "deadlineBeforeStart", isRun && deadline !== null && deadline <= begins],
    ["expires", "expiryBeforeStart", expires !== null && expires <= begins],
    ["expires", "expiryPassed", expires !== null && expires <= nowMs],
    ["notWhile", "programPath", isRun && programsOf(draft).some((one) => /[/\\]/.test(one))],
  ];
  return Object.fromEntries(
    problems.filter(([, , isWrong]) => isWrong).map(([field, problem]) => [field, problem]),
  );
}

/** Returns the request that creates the task. */
export function requestOf(draft: TaskDraft): TaskCreate {
  const isRun = draft.action !== "pre-cache";
  const isLocal = draft.startKind === "local";
  // A time of each device's own clock is written as if it were UTC.
  const startAtMs =
    draft.startKind === "now" || draft.start === ""
      ? null
      : Date.parse(isLocal ? `${draft.start}Z` : draft.start);
  return {
    package: `${draft.name}@${draft.version}`,
    action: isRun ? "run" : "pre-cache",
    run: draft.action === "named" ? draft.run : null,
    command: draft.action === "line" ? draft.command.trim() : null,
    setting: draft.setting === "" ? null : draft.setting,
    target: draft.target.trim(),
    startAtMs,
    startIsLocal: startAtMs !== null && isLocal,
    deadlineAtMs: isRun ? timeOf(draft.deadline) : null,
    notWhile: isRun ? programsOf(draft) : [],
    expiresAtMs: timeOf(draft.expires),
  };
}
