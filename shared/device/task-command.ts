/** The command of a task on this system: free text, or a named command of the package. Pure. */
import type { AgentTask } from "../api/schema/agent.ts";
import type { CommandRequest } from "./ports.ts";
import {
  commandFor,
  type CommandShell,
  type NamedCommand,
  type OperatingSystem,
} from "../model/package-command.ts";

type TaskCommand =
  | { readonly kind: "none" }
  | { readonly kind: "line"; readonly command: string; readonly shell: CommandShell | null }
  /** The task cannot run here. */
  | { readonly kind: "missing"; readonly reason: string };

export function commandOf(
  task: Pick<AgentTask, "action" | "command" | "run">,
  commands: readonly NamedCommand[],
  os: OperatingSystem,
): TaskCommand {
  if (task.action !== "run") return { kind: "none" };
  if (task.run === null)
    return task.command === null ? { kind: "none" } : { kind: "line", command: task.command, shell: null };
  const found = commandFor(commands, task.run, os);
  if (found !== null) return { kind: "line", command: found.line, shell: found.shell };
  return {
    kind: "missing",
    reason: `the package has no command "${task.run}" for ${os}: publish a version that has one, or target other devices`,
  };
}

/** Returns what the device runs, without the signal that kills it. */
export const commandRequest = (
  task: AgentTask,
  folder: string,
  line: Pick<CommandRequest, "command" | "shell">,
): Omit<CommandRequest, "signal"> => ({
  taskId: task.id,
  ...line,
  folder,
  timeoutMs: task.setting.values.commandTimeoutMs,
  environment: {
    FLOCKCAST_PACKAGE: task.packageName,
    FLOCKCAST_VERSION: task.packageVersion,
    FLOCKCAST_TASK: String(task.id),
  },
});
