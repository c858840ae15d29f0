import { expect, test } from "bun:test";
import type { Task } from "../../device/task.ts";
import { gaugesOf } from "./gauges.ts";
import { AgentMetrics } from "./metrics.ts";

/** Metrics of an agent with these tasks, as text. */
async function textOf(tasks: { id: number; isOver: boolean }[], kernelDrops: number | null = 3) {
  const metrics = new AgentMetrics();
  const counters = { framesReceived: 7, framesSent: 5, receiveCalls: 2, messagesReceived: 4 };
  const lan = { counters, dropped: new Map([["own", 5]]), kernelDrops };
  const parts = { lan, lanGroup: { bus: null }, exchange: { counters: { bytesSent: 9 }, load: 12 } };
  const trust = {
    version: 3,
    root: "",
    embedded: false,
    freshUntilMs: null,
    isStale: true,
    refused: [{ what: "task 1", taskId: 1, code: "older", text: "older" }],
  } as const;
  gaugesOf(
    metrics,
    parts as never,
    () => tasks as Task[],
    () => trust,
  );
  return { read: () => metrics.registry.metrics() };
}

test("a task has series until it is over", async () => {
  const tasks = [
    { id: 1, isOver: true },
    { id: 2, isOver: false },
  ];
  const { read } = await textOf(tasks);
  expect(await read()).toContain('flockcast_task_symbols_total{task="2"} 0');
  expect(await read()).not.toContain('task="1"');
  tasks[1]!.isOver = true;
  expect(await read()).not.toContain('task="');
});

test("values that only grow are counters named _total", async () => {
  const { read } = await textOf([{ id: 2, isOver: false }]);
  await read();
  const text = await read();
  expect(text).toContain("# TYPE flockcast_lan_frames_received_total counter");
  expect(text).toContain("\nflockcast_lan_frames_received_total 7\n");
  expect(text).toContain('\nflockcast_lan_frames_dropped_total{reason="own"} 5\n');
  expect(text).toContain("\nflockcast_lan_kernel_drops_total 3\n");
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type] as const);
  for (const [name, type] of types)
    expect([name, type === "counter"]).toEqual([name, name!.endsWith("_total")]);
});

test("show a source that is stale, and how many statements the device does not obey", async () => {
  const text = await (await textOf([])).read();
  for (const line of ["trust_file_version 3", "source_stale 1", "statements_refused 1"])
    expect(text).toContain(`\nflockcast_${line}\n`);
});

test("drops that the system does not report are left out", async () => {
  const { read } = await textOf([], null);
  expect(await read()).not.toMatch(/^flockcast_lan_kernel_drops_total /m);
});
