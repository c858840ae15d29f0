/**
 * Work of a task with its complete package on this device: nothing, a command, or an upgrade of the
 * agent.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { reason } from "../model/reason.ts";
import type { Manifest } from "../model/manifest.ts";
import type { DevicePorts } from "./ports.ts";
import { commandOf, type TaskWork } from "./task-command.ts";
import { TaskRun, type RunHost } from "./task-run.ts";
import { TaskUpgrade } from "./task-upgrade.ts";

export function workOf(
  task: Pick<AgentTask, "action" | "command" | "run">,
  { commands, files }: Pick<Manifest, "commands" | "files">,
  { commands: { os }, upgrades }: Pick<DevicePorts, "commands" | "upgrades">,
): TaskWork {
  if (task.action !== "upgrade") return commandOf(task, commands, os);
  const { fileName } = upgrades;
  if (fileName === null) return { kind: "missing", reason: reason("not-executable") };
  const path = fittingPath(
    files.map((file) => file.path),
    fileName,
  );
  return path === null
    ? { kind: "missing", reason: reason("no-fitting-file", { fileName }) }
    : { kind: "upgrade", path };
}

const depth = (path: string): number => path.split("/").length;

/** Returns the path of the file with this name that is in the fewest folders; null without one. */
export function fittingPath(paths: readonly string[], fileName: string): string | null {
  const found = paths.filter((path) => path.split("/").at(-1) === fileName);
  return found.toSorted((a, b) => depth(a) - depth(b))[0] ?? null;
}

export const createWork = (host: RunHost): TaskRun | TaskUpgrade =>
  host.row.task.action === "upgrade" ? new TaskUpgrade(host) : new TaskRun(host);
