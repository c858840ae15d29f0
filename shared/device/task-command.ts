/** The command of a task on this system: free text, or a named command of the package. Pure. */
import type { AgentTask } from "../api/schema/agent.ts";
import { reason, type Reason } from "../model/reason.ts";
import type { CommandRequest } from "./ports.ts";
import {
  commandFor,
  type CommandShell,
  type NamedCommand,
  type OperatingSystem,
} from "../model/package-command.ts";

type Line = { readonly command: string; readonly shell: CommandShell | null };
type TaskCommand =
  | { readonly kind: "none" }
  /** `detect`: tells by exit code 0 that the package is already there; null: it has none. */
  | { readonly kind: "line"; readonly line: Line; readonly detect: Line | null }
  /** The task cannot run here. */
  | { readonly kind: "missing"; readonly reason: Reason };
/** Work of a task with its complete package. `path`: of the agent's executable in the package. */
export type TaskWork = TaskCommand | { readonly kind: "upgrade"; readonly path: string };
/** Work of a complete package. `folder`: of the package. `disk`: with the image; null: none. */
export type ReadyWork = { readonly folder: string; readonly disk: string | null } & Extract<
  TaskWork,
  { kind: "line" | "upgrade" }
>;

export function commandOf(
  task: Pick<AgentTask, "action" | "command" | "run">,
  commands: readonly NamedCommand[],
  os: OperatingSystem,
): TaskCommand {
  if (task.action !== "run" && task.action !== "image") return { kind: "none" };
  if (task.run === null)
    return task.command === null
      ? { kind: "none" }
      : { kind: "line", line: { command: task.command, shell: null }, detect: null };
  const named = (name: string): Line | null => {
    const found = commandFor(commands, name, os);
    return found && { command: found.line, shell: found.shell };
  };
  const line = named(task.run);
  // Another command than `install` may be meant for a package that is there.
  if (line !== null) return { kind: "line", line, detect: task.run === "install" ? named("detect") : null };
  return { kind: "missing", reason: reason("no-command", { name: task.run, os }) };
}

/** Returns what the device runs, without the parts that differ between runs. */
export const commandRequest = (
  task: AgentTask,
  { folder, disk }: Pick<ReadyWork, "folder" | "disk">,
  line: Pick<CommandRequest, "command" | "shell">,
): Omit<CommandRequest, "key" | "identity" | "signal"> => ({
  taskId: task.id,
  ...line,
  folder,
  timeoutMs: task.setting.values.commandTimeoutMs,
  environment: {
    FLOCKCAST_PACKAGE: task.packageName,
    FLOCKCAST_VERSION: task.packageVersion,
    FLOCKCAST_TASK: String(task.id),
    ...(disk === null ? {} : { FLOCKCAST_DISK: disk }),
  },
});
