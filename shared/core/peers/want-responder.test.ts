import { expect, test } from "bun:test";
import { timing } from "../timing.ts";
import { WantResponder } from "./want-responder.ts";

const never = Number.POSITIVE_INFINITY;

test.each([
  [0, 1_000],
  [0.5, 1_000 + timing.feedbackDelayMsMax / 2],
  [1, 1_000 + timing.feedbackDelayMsMax],
])("answers a WANT once, after a delay by its random number %p, at %p ms", (random, dueAtMs) => {
  const responder = new WantResponder();
  responder.onWant("a", 1_000, random);
  expect(responder.dueAtMs).toBe(dueAtMs);
  expect(responder.takeDue(dueAtMs - 0.1)).toEqual([]);
  expect(responder.takeDue(dueAtMs)).toEqual(["a"]);
  expect(responder.takeDue(never)).toEqual([]);
  expect(responder.dueAtMs).toBe(never);
});

test.each([
  [0, ["a"]],
  [1, ["a"]],
  [2, ["a"]],
  [3, []],
  [9, []],
])("after %d answers of other holders answers %j", (answers, devices) => {
  const responder = new WantResponder();
  responder.onWant("a", 0, 1);
  for (let i = 0; i < answers; i++) responder.onHave("a");
  expect(responder.takeDue(1_000)).toEqual(devices);
});

test("counts answers by the device that they are for, and none before its WANT", () => {
  const responder = new WantResponder();
  for (let i = 0; i < 3; i++) responder.onHave("a");
  responder.onWant("a", 0, 0);
  responder.onWant("b", 0, 0);
  for (let i = 0; i < 3; i++) responder.onHave("b");
  expect(responder.takeDue(0)).toEqual(["a"]);
});

test("does not delay an answer when the device repeats its WANT", () => {
  const responder = new WantResponder();
  responder.onWant("a", 0, 0.5);
  responder.onWant("a", 50, 1);
  expect(responder.dueAtMs).toBe(timing.feedbackDelayMsMax / 2);
});

test("states the time of the earliest of several answers", () => {
  const responder = new WantResponder();
  for (const [device, random] of [
    ["a", 1],
    ["b", 0.25],
    ["c", 0.5],
  ] as const)
    responder.onWant(device, 0, random);
  expect(responder.dueAtMs).toBe(timing.feedbackDelayMsMax / 4);
  expect(responder.takeDue(timing.feedbackDelayMsMax / 2)).toEqual(["b", "c"]);
  expect(responder.dueAtMs).toBe(timing.feedbackDelayMsMax);
});

test("keeps at most 256 devices, and room for others once they are answered", () => {
  const responder = new WantResponder();
  for (let i = 0; i < 300; i++) responder.onWant(`device ${i}`, 0, 0);
  const due = responder.takeDue(0);
  expect(due).toHaveLength(256);
  expect(due.at(-1)).toBe("device 255");
  responder.onWant("device 299", 0, 0);
  expect(responder.takeDue(0)).toEqual(["device 299"]);
});
