import { expect, test } from "bun:test";
import { newTaskRow } from "./task-record.ts";
import { TaskTraffic } from "./task-traffic.ts";
import { taskForTest } from "./testing.ts";

const row = { ...newTaskRow(taskForTest()), wanBytesFetched: 1_000, lanBytesSent: 20 };
const session = (wanBytes: number, lanBytes: number) => ({ representative: { wanBytes }, lanBytes });

test("the traffic of a task is what earlier starts of the agent moved while it has no session", () => {
  expect(new TaskTraffic(row).total(null)).toEqual({ wan: 1_000, lan: 20 });
});

test("the traffic of a task includes its present session, however often it is asked for", () => {
  const traffic = new TaskTraffic(row);
  expect(traffic.total(session(5, 7))).toEqual({ wan: 1_005, lan: 27 });
  expect(traffic.total(session(50, 70))).toEqual({ wan: 1_050, lan: 90 });
});

test("the traffic of a task keeps what its ended sessions moved, each once", () => {
  const traffic = new TaskTraffic(row);
  traffic.close(session(50, 70));
  expect(traffic.total(null)).toEqual({ wan: 1_050, lan: 90 });
  expect(traffic.total(session(1, 0))).toEqual({ wan: 1_051, lan: 90 });
  traffic.close(session(3, 4));
  expect(traffic.total(null)).toEqual({ wan: 1_053, lan: 94 });
});
