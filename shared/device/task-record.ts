/** The row of a task in the ledger, which survives a restart. Validated when it is read. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { agentTaskSchema, type AgentTask } from "../api/schema/agent.ts";
import { commandOutcomeSchema, type CommandOutcome } from "../api/schema/common.ts";
import { reason, reasonSchema, type Reason } from "../model/reason.ts";

/**
 * - `open`: not done
 * - `running`: the command was started; after a restart its outcome is looked up
 * - `reboot-pending`: the command succeeded, and takes effect with the next start of the machine
 * - `complete`, `failed`: ended on this device
 * - `superseded`: not run, because a higher version ran before
 * - `cancelled`: cancelled at the source
 */
const lifeSchema = v.picklist([
  "open",
  "running",
  "reboot-pending",
  "complete",
  "failed",
  "superseded",
  "cancelled",
]);
export type TaskLife = v.InferOutput<typeof lifeSchema>;
export type TaskEndLife = Exclude<TaskLife, "open" | "running">;

/** Earlier versions stored words; empty ones for nothing. */
const storedReasonSchema = v.union([
  v.nullable(reasonSchema),
  v.pipe(
    v.string(),
    v.transform((words) => (words === "" ? null : reason("problem", { detail: words }))),
  ),
]);

export const taskRowSchema = v.object({
  task: agentTaskSchema,
  life: lifeSchema,
  /** Why the task ended as it did; null: nothing to add. */
  reason: storedReasonSchema,
  /** Why bytes did not come by multicast; null: all did, or the reason is unknown. */
  way: v.optional(storedReasonSchema, null),
  /** Result of the command; `unknown` while it runs. */
  command: v.nullable(commandOutcomeSchema),
  /** Times that the command was started in this attempt. */
  runs: v.optional(v.number(), 0),
  /** Boot of the machine in which the command was started; null: not known. */
  bootId: v.optional(v.nullable(v.string()), null),
  /** Times that the command was put off because a program ran or a user was active. */
  deferrals: v.optional(v.number(), 0),
  /** End of the last deferral, by the clock of tasks; 0: none. */
  deferredUntilMs: v.optional(v.number(), 0),
  /** Position among the commands that succeeded on this device, from 1; 0: not among them. */
  ranAs: v.optional(v.number(), 0),
  /** Times that stored files were wrong when they were read back. */
  wrongReadBacks: v.optional(v.number(), 0),
  wanBytesFetched: v.number(),
  /** Part of `wanBytesFetched` that made no chunk verified. */
  wanBytesUseless: v.optional(v.number(), 0),
  lanBytesSent: v.number(),
  /** Whether the source has received the report of the task's end. */
  reported: v.boolean(),
  /** SHA-256 of the command's text, hex, in the row of an ended task; null: it has no text. */
  commandDigest: v.optional(v.nullable(v.string()), null),
});
export type TaskRow = {
  task: AgentTask;
  life: TaskLife;
  reason: Reason | null;
  way: Reason | null;
  command: CommandOutcome | null;
  runs: number;
  bootId: string | null;
  deferrals: number;
  deferredUntilMs: number;
  ranAs: number;
  wrongReadBacks: number;
  wanBytesFetched: number;
  wanBytesUseless: number;
  lanBytesSent: number;
  reported: boolean;
  commandDigest: string | null;
};

export const newTaskRow = (task: AgentTask): TaskRow => ({
  task,
  life: "open",
  reason: null,
  way: null,
  command: null,
  runs: 0,
  bootId: null,
  deferrals: 0,
  deferredUntilMs: 0,
  ranAs: 0,
  wrongReadBacks: 0,
  wanBytesFetched: 0,
  wanBytesUseless: 0,
  lanBytesSent: 0,
  reported: false,
  commandDigest: null,
});

/**
 * Removes the keys of the task and the text of its command, which an ended task needs no more. The
 * digest of the text tells later tasks which command ran (version-guard.ts).
 * @returns whether there were any
 */
export function eraseSecrets(row: TaskRow): boolean {
  const { command, taskKey, packageKey } = row.task;
  if (command === null && taskKey === "" && packageKey === "") return false;
  if (command !== null) row.commandDigest = digestOf(command);
  row.task = { ...row.task, command: null, taskKey: "", packageKey: "", packageKeyBefore: null };
  return true;
}

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Returns the row of a task that the device knows nothing more about than that its command was
 * begun: its outcome is looked for, and is unknown.
 */
export const begunTaskRow = (task: AgentTask): TaskRow => ({
  ...newTaskRow(task),
  life: "running",
  runs: 1,
  command: {
    meaning: "unknown",
    exitCode: null,
    timedOut: false,
    outputTail: "",
    runs: 1,
    startedAtMs: null,
    endedAtMs: null,
  },
});

const unbegunSchema = v.looseObject({ life: v.literal("open"), runs: v.optional(v.literal(0)) });

/** Whether a row that cannot be read may be that of a task whose command was begun. */
export const mayHaveBegun = (row: unknown): boolean => !v.is(unbegunSchema, row);

/** Returns null if the row does not match the schema. */
export function parseTaskRow(row: unknown): TaskRow | null {
  const parsed = v.safeParse(taskRowSchema, row);
  return parsed.success ? parsed.output : null;
}
