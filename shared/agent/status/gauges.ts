/**
 * Registers the gauges of a running agent, whose values are read each time the metrics are
 * requested.
 */
import type { LanSessions } from "../../device/lan-sessions.ts";
import type { ExchangeServer } from "../../net/exchange/server.ts";
import type { LanGroup } from "../lan-group.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { Task } from "../../device/task.ts";

type LanParts = {
  readonly lan: LanSessions;
  readonly lanGroup: LanGroup;
  readonly exchange: ExchangeServer;
};

export function gaugesOf(metrics: AgentMetrics, lan: LanParts, runners: () => Iterable<Task>): void {
  lanGauges(metrics, lan);
  taskGauges(metrics, runners);
}

function lanGauges(metrics: AgentMetrics, { lan, lanGroup, exchange }: LanParts): void {
  metrics.gauge(
    "flockcast_lan_frames_heard",
    "Datagrams received from the group",
    () => lan.counters.framesReceived,
  );
  metrics.gauge("flockcast_lan_frames_sent", "Datagrams sent to the group", () => lan.counters.framesSent);
  metrics.gauge(
    "flockcast_lan_receive_calls",
    "System calls that read datagrams of the group",
    () => lan.counters.receiveCalls,
  );
  metrics.gauge(
    "flockcast_lan_messages_received",
    "Messages that these calls read: single datagrams, and runs of datagrams",
    () => lan.counters.messagesReceived,
  );
  metrics.gauge("flockcast_lan_frames_dropped", "Datagrams dropped, by reason", () => lan.dropped, "reason");
  metrics.gauge(
    "flockcast_lan_kernel_drops",
    "Datagrams that the kernel dropped because the receive buffer was full; NaN: not reported by this system",
    () => lan.kernelDrops ?? Number.NaN,
  );
  metrics.gauge(
    "flockcast_receive_buffer_bytes",
    "Kernel buffer of the group's socket",
    () => lanGroup.bus?.receiveBufferBytes ?? 0,
  );
  metrics.gauge(
    "flockcast_exchange_bytes_sent",
    "Chunk bytes sent to other devices by unicast",
    () => exchange.counters.bytesSent,
  );
  metrics.gauge("flockcast_exchange_load", "Share of upload slots in use, 0 to 100", () => exchange.load);
}

function taskGauges(metrics: AgentMetrics, runners: () => Iterable<Task>): void {
  const byTask = (read: (runner: Task) => number) => (): [string, number][] =>
    [...runners()].map((runner) => [String(runner.id), read(runner)]);
  metrics.gauge(
    "flockcast_task_bytes_verified",
    "Verified bytes, by task",
    byTask((r) => r.store?.bytesVerified ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols",
    "Symbols received, by task",
    byTask((r) => r.session?.receiver.counters.symbols ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols_useless",
    "Received symbols that were not needed, by task",
    byTask((r) => r.session?.receiver.counters.useless ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols_overflow",
    "Symbols dropped because the disk was behind, by task",
    byTask((r) => r.session?.receiver.counters.overflow ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_reception_bytes",
    "Bytes of incomplete chunks in memory, by task",
    byTask((r) => r.session?.receiver.reassembly.memoryBytes ?? 0),
    "task",
  );
}
