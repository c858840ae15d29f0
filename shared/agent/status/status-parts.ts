/** Parts of `status` about the LAN and the tasks of the device. */
import type { LanSessions } from "../../device/lan-sessions.ts";
import type { Task } from "../../device/task.ts";
import type { ExchangeServer } from "../../net/exchange/server.ts";
import { versionOf } from "../own-setting.ts";
import { withoutOutput, type AgentStatus } from "./status-server.ts";

export const lanStatus = (lan: LanSessions): AgentStatus["lan"] => ({
  framesHeard: lan.counters.framesReceived,
  framesSent: lan.counters.framesSent,
  receiveCalls: lan.counters.receiveCalls,
  messagesReceived: lan.counters.messagesReceived,
  kernelDrops: lan.kernelDrops,
  dropped: Object.fromEntries(lan.dropped),
});

export const exchangeStatus = (exchange: ExchangeServer): AgentStatus["exchange"] => ({
  port: exchange.lanPort,
  portProblem: exchange.portProblem,
  chunksSent: exchange.counters.chunksSent,
  bytesSent: exchange.counters.bytesSent,
});

export const taskStatus = (task: Task): AgentStatus["tasks"][number] =>
  Object.assign(withoutOutput(task.progress()), {
    package: `${task.row.task.packageName} ${task.row.task.packageVersion}`,
    setting: task.row.task.overrides ? versionOf(task.row.task.setting) : null,
  });
