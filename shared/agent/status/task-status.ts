/** The part of `status` about a task of the device. */
import type { Task } from "../../device/task.ts";
import { versionOf } from "../own-setting.ts";
import { withoutOutput, type AgentStatus } from "./status-server.ts";

export const taskStatus = (task: Task): AgentStatus["tasks"][number] =>
  Object.assign(withoutOutput(task.progress()), {
    package: `${task.row.task.packageName} ${task.row.task.packageVersion}`,
    setting: task.row.task.overrides ? versionOf(task.row.task.setting) : null,
  });
