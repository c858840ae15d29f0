/**
 * What an agent remembers of a task between two lives: the row it keeps in the ledger, checked when it is read back.
 */
import * as v from "valibot";
import { agentTaskSchema, type AgentTask } from "../api/schema/agent.ts";
import { commandOutcomeSchema, type CommandOutcome } from "../api/schema/common.ts";

/**
 * open: not done. running: the command was begun; found after a restart, its outcome is unknown.
 * complete, failed: ended here. cancelled: the source took it back.
 */
const lifeSchema = v.picklist(["open", "running", "complete", "failed", "cancelled"]);
export type TaskLife = v.InferOutput<typeof lifeSchema>;

export const taskRowSchema = v.object({
  task: agentTaskSchema,
  life: lifeSchema,
  reason: v.string(),
  /** Why its bytes came another way than by multicast; empty: they did not. */
  way: v.optional(v.string(), ""),
  command: v.nullable(commandOutcomeSchema),
  wanBytesFetched: v.number(),
  lanBytesSent: v.number(),
  /** The source knows how it ended. */
  reported: v.boolean(),
});
export type TaskRow = {
  task: AgentTask;
  life: TaskLife;
  reason: string;
  way: string;
  command: CommandOutcome | null;
  wanBytesFetched: number;
  lanBytesSent: number;
  reported: boolean;
};

export const newTaskRow = (task: AgentTask): TaskRow => ({
  task,
  life: "open",
  reason: "",
  way: "",
  command: null,
  wanBytesFetched: 0,
  lanBytesSent: 0,
  reported: false,
});

export function parseTaskRow(row: unknown): TaskRow | null {
  const parsed = v.safeParse(taskRowSchema, row);
  return parsed.success ? parsed.output : null;
}
