/** Values of a running agent that are read when its metrics are asked for. */
import type { AgentContext } from "../../device/context.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { TaskRunner } from "../../device/task.ts";

export function gaugesOf(
  metrics: AgentMetrics,
  context: AgentContext,
  runners: () => Iterable<TaskRunner>,
): void {
  lanGauges(metrics, context);
  taskGauges(metrics, runners);
}

function lanGauges(metrics: AgentMetrics, { lan, exchange }: AgentContext): void {
  metrics.gauge("flockcast_lan_frames_heard", "Datagrams heard on the group", () => lan.framesHeard);
  metrics.gauge("flockcast_lan_frames_sent", "Datagrams sent to the group", () => lan.framesSent);
  metrics.gauge("flockcast_lan_frames_dropped", "Datagrams dropped, by reason", () => lan.dropped, "reason");
  metrics.gauge(
    "flockcast_lan_kernel_drops",
    "Datagrams that the kernel dropped because the receive buffer was full; NaN: not told by this system",
    () => lan.kernelDrops ?? Number.NaN,
  );
  metrics.gauge(
    "flockcast_receive_buffer_bytes",
    "Kernel buffer of the group's socket",
    () => lan.bus?.receiveBufferBytes ?? 0,
  );
  metrics.gauge(
    "flockcast_exchange_bytes_sent",
    "Chunk bytes handed to other devices",
    () => exchange.counters.bytesSent,
  );
  metrics.gauge("flockcast_exchange_load", "Uploads under way, 0 to 100", () => exchange.load);
}

function taskGauges(metrics: AgentMetrics, runners: () => Iterable<TaskRunner>): void {
  const byTask = (read: (runner: TaskRunner) => number) => (): [string, number][] =>
    [...runners()].map((runner) => [String(runner.id), read(runner)]);
  metrics.gauge(
    "flockcast_task_bytes_verified",
    "Verified bytes, by task",
    byTask((r) => r.store?.bytesVerified ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols",
    "Symbols heard, by task",
    byTask((r) => r.session?.receiver.counters.symbols ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols_useless",
    "Symbols that were of no use",
    byTask((r) => r.session?.receiver.counters.useless ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_symbols_overflow",
    "Symbols dropped, disk behind",
    byTask((r) => r.session?.receiver.counters.overflow ?? 0),
    "task",
  );
  metrics.gauge(
    "flockcast_task_reception_bytes",
    "Half-received chunks in memory",
    byTask((r) => r.session?.receiver.reassembly.memoryBytes ?? 0),
    "task",
  );
}
