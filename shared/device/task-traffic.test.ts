import { expect, test } from "bun:test";
import { newTaskRow } from "./task-record.ts";
import { TaskTraffic } from "./task-traffic.ts";
import { taskForTest } from "./testing.ts";

const row = { ...newTaskRow(taskForTest()), wanBytesFetched: 1_000, wanBytesUseless: 300, lanBytesSent: 20 };

test("the traffic of a task includes earlier runs of the agent and the current session", () => {
  const traffic = new TaskTraffic(row);
  const before = { wanBytesFetched: 1_000, wanBytesUseless: 300, lanBytesSent: 20 };
  expect(traffic.total(null)).toEqual(before);
  expect(traffic.total({ lanBytes: 7 })).toEqual({ ...before, lanBytesSent: 27 });
  expect(traffic.total({ lanBytes: 70 })).toEqual({ ...before, lanBytesSent: 90 });
});

test("the traffic of a task keeps what its ended sessions sent, each once", () => {
  const traffic = new TaskTraffic(row);
  traffic.close({ lanBytes: 70 });
  traffic.close({ lanBytes: 4 });
  expect(traffic.total({ lanBytes: 1 }).lanBytesSent).toBe(95);
});

test("a chunk that was fetched is useful once", () => {
  const traffic = new TaskTraffic(row);
  traffic.wan.fetchedBytes += 900;
  traffic.wan.stored(3, 400);
  traffic.wan.stored(3, 400);
  traffic.wan.settle();
  expect(traffic.total(null)).toMatchObject({ wanBytesFetched: 1_900, wanBytesUseless: 800 });
});

test("bytes of an incomplete chunk are not useless until the download ends", () => {
  const { wan } = new TaskTraffic({ ...row, wanBytesUseless: 0 });
  for (let chunk = 0; chunk < 5; chunk++) {
    for (const pendingBytes of [100, 200]) {
      wan.fetchedBytes += 100;
      expect(wan.problem(10_000, pendingBytes)).toBeNull();
      expect(wan.uselessBytes).toBe(0);
    }
    wan.stored(chunk, 200);
    expect(wan.uselessBytes).toBe(0);
  }
  wan.fetchedBytes += 50;
  wan.problem(10_000, 50);
  expect(wan.uselessBytes).toBe(0);
  wan.settle();
  expect(wan.uselessBytes).toBe(50);
});
