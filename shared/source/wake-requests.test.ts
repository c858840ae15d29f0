/** Open requests to awake devices: who gets them, for how long, and which answers count. */
import { expect, test } from "bun:test";
import { wakeAnswerMs, WakeRequests } from "./wake-requests.ts";

const sleepers = [{ deviceId: "s", mac: "02:00:00:00:00:01" }];

function newRequests() {
  let next = 0;
  const requests = new WakeRequests((count) => new Uint8Array(count).fill(++next));
  return {
    requests,
    open: (waker: string, nowMs: number) => requests.open({ taskId: 1, waker, sleepers }, nowMs),
  };
}

test("a check-in that began before the request does not end the request", () => {
  const { requests, open } = newRequests();
  open("a", 1_000);
  expect(requests.of("a", 990)).toEqual([{ id: "01".repeat(8), macs: ["02:00:00:00:00:01"] }]);
  expect(requests.of("a", 1_001)).toHaveLength(1);
});

test("a request is for one device, and ends with its answer", () => {
  const { requests, open } = newRequests();
  open("a", 0);
  const [request] = requests.of("a", 1);
  expect(requests.of("b", 1)).toEqual([]);
  expect(requests.answered(request!.id, "b", request!.macs, 2)).toBeNull();
  expect(requests.answered(request!.id, "a", ["02-00-00-00-00-01"], 2)).toEqual({
    taskId: 1,
    deviceIds: ["s"],
  });
  expect(requests.answered(request!.id, "a", request!.macs, 3)).toBeNull();
  expect(requests.of("a", 3)).toEqual([]);
});

test("a device that lets a request end is known as silent until it answers another one", () => {
  const { requests, open } = newRequests();
  open("a", 0);
  expect(requests.of("a", wakeAnswerMs)).toEqual([]);
  expect(requests.isSilent("a")).toBe(true);
  open("a", wakeAnswerMs);
  const [request] = requests.of("a", wakeAnswerMs);
  requests.answered(request!.id, "a", [], wakeAnswerMs);
  expect(requests.isSilent("a")).toBe(false);
});

test("a clock that was set back far ends a request", () => {
  const { requests, open } = newRequests();
  open("a", 1e12);
  expect(requests.of("a", 1e12 - 86_400_000)).toEqual([]);
});
