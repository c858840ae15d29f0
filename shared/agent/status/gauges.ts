/**
 * Registers the gauges and counters of a running agent whose values are read each time the metrics
 * are requested. A task has series until it and its session are over.
 */
import type { LanSessions } from "../../device/lan-sessions.ts";
import type { ExchangeServer } from "../../net/exchange/server.ts";
import type { LanGroup } from "../lan-group.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { Task } from "../../device/task.ts";
import type { TrustStatus } from "../../device/trust-keeper.ts";
import { version } from "../../version.ts";

type LanParts = {
  readonly lan: LanSessions;
  readonly lanGroup: LanGroup;
  readonly exchange: ExchangeServer;
};

export function gaugesOf(
  metrics: AgentMetrics,
  lan: LanParts,
  runners: () => Iterable<Task>,
  trust: () => TrustStatus,
): void {
  lanGauges(metrics, lan);
  trustGauges(metrics, trust);
  taskGauges(metrics, runners);
  buildGauge(metrics);
}

function lanGauges(metrics: AgentMetrics, { lan, lanGroup, exchange }: LanParts): void {
  metrics.read(
    "flockcast_lan_frames_received_total",
    "Datagrams received from the group",
    () => lan.counters.framesReceived,
  );
  metrics.read(
    "flockcast_lan_frames_sent_total",
    "Datagrams sent to the group",
    () => lan.counters.framesSent,
  );
  metrics.read(
    "flockcast_lan_receive_calls_total",
    "System calls that read datagrams of the group",
    () => lan.counters.receiveCalls,
  );
  metrics.read(
    "flockcast_lan_messages_received_total",
    "Messages that these calls read: single datagrams, and runs of datagrams",
    () => lan.counters.messagesReceived,
  );
  metrics.read(
    "flockcast_lan_frames_dropped_total",
    "Datagrams dropped, by reason",
    () => lan.dropped,
    "reason",
  );
  metrics.read(
    "flockcast_lan_kernel_drops_total",
    "Datagrams that the kernel dropped because the receive buffer was full; missing: not reported by this system",
    () => lan.kernelDrops ?? [],
  );
  metrics.read(
    "flockcast_receive_buffer_bytes",
    "Kernel buffer of the group's socket",
    () => lanGroup.bus?.receiveBufferBytes ?? 0,
  );
  metrics.read(
    "flockcast_exchange_bytes_sent_total",
    "Chunk bytes sent to other devices by unicast",
    () => exchange.counters.bytesSent,
  );
  metrics.read("flockcast_exchange_load", "Share of upload slots in use, 0 to 100", () => exchange.load);
}

function trustGauges(metrics: AgentMetrics, trust: () => TrustStatus): void {
  metrics.read("flockcast_trust_file_version", "Version of the trust file; 0: none", () => trust().version);
  metrics.read("flockcast_source_stale", "1 while the device has no fresh word of an operator", () =>
    Number(trust().isStale),
  );
  metrics.read(
    "flockcast_statements_refused",
    "Statements of the last check-in that the device does not obey",
    () => trust().refused.length,
  );
}

function buildGauge(metrics: AgentMetrics): void {
  const build: [string, number][] = [[version, 1]];
  metrics.read("flockcast_build_info", "Always 1; the label is the agent's version", () => build, "version");
}

function taskGauges(metrics: AgentMetrics, runners: () => Iterable<Task>): void {
  const byTask = (read: (runner: Task) => number) => (): [string, number][] =>
    [...runners()].filter(({ isOver }) => !isOver).map((runner) => [String(runner.id), read(runner)]);
  metrics.read(
    "flockcast_task_bytes_verified",
    "Verified bytes, by task",
    byTask((r) => r.store?.bytesVerified ?? 0),
    "task",
  );
  metrics.read(
    "flockcast_task_symbols_total",
    "Symbols received, by task",
    byTask((r) => r.session?.receiver.counters.symbols ?? 0),
    "task",
  );
  metrics.read(
    "flockcast_task_symbols_useless_total",
    "Received symbols that were not needed, by task",
    byTask((r) => r.session?.receiver.counters.useless ?? 0),
    "task",
  );
  metrics.read(
    "flockcast_task_symbols_overflow_total",
    "Symbols dropped because the disk was behind, by task",
    byTask((r) => r.session?.receiver.counters.overflow ?? 0),
    "task",
  );
  metrics.read(
    "flockcast_task_reception_bytes",
    "Bytes of incomplete chunks in memory, by task",
    byTask((r) => r.session?.receiver.reassembly.memoryBytes ?? 0),
    "task",
  );
}
