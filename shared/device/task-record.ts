/** The row of a task in the ledger, which survives a restart. Validated when it is read. */
import * as v from "valibot";
import { agentTaskSchema, type AgentTask } from "../api/schema/agent.ts";
import { commandOutcomeSchema, type CommandOutcome } from "../api/schema/common.ts";

/**
 * - `open`: not done
 * - `running`: the command was started; after a restart its outcome is unknown
 * - `complete`, `failed`: ended on this device
 * - `cancelled`: cancelled at the source
 */
const lifeSchema = v.picklist(["open", "running", "complete", "failed", "cancelled"]);
export type TaskLife = v.InferOutput<typeof lifeSchema>;

export const taskRowSchema = v.object({
  task: agentTaskSchema,
  life: lifeSchema,
  reason: v.string(),
  /** Why bytes did not come by multicast, as text; empty: all did, or the reason is unknown. */
  way: v.optional(v.string(), ""),
  command: v.nullable(commandOutcomeSchema),
  /** Times that stored files were wrong when they were read back. */
  wrongReadBacks: v.optional(v.number(), 0),
  wanBytesFetched: v.number(),
  /** Part of `wanBytesFetched` that made no chunk verified. */
  wanBytesUseless: v.optional(v.number(), 0),
  lanBytesSent: v.number(),
  /** Whether the source has received the report of the task's end. */
  reported: v.boolean(),
});
export type TaskRow = {
  task: AgentTask;
  life: TaskLife;
  reason: string;
  way: string;
  command: CommandOutcome | null;
  wrongReadBacks: number;
  wanBytesFetched: number;
  wanBytesUseless: number;
  lanBytesSent: number;
  reported: boolean;
};

export const newTaskRow = (task: AgentTask): TaskRow => ({
  task,
  life: "open",
  reason: "",
  way: "",
  command: null,
  wrongReadBacks: 0,
  wanBytesFetched: 0,
  wanBytesUseless: 0,
  lanBytesSent: 0,
  reported: false,
});

/** Returns null if the row does not match the schema. */
export function parseTaskRow(row: unknown): TaskRow | null {
  const parsed = v.safeParse(taskRowSchema, row);
  return parsed.success ? parsed.output : null;
}
