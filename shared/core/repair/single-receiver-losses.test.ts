import { expect, test } from "bun:test";
import { SingleReceiverLosses } from "./single-receiver-losses.ts";

const missing = (device: string, first: number, count: number): [number, string][] =>
  Array.from({ length: count }, (_, i) => [first + i, device]);

test("retransmits a few chunks of each device once", () => {
  const losses = new SingleReceiverLosses(512);
  losses.add(missing("a", 0, 8));
  losses.add(missing("b", 100, 3));
  expect(losses.takeRetransmits()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102]);
  expect(losses.hasChanged).toBe(false);
  expect(losses.takeRetransmits()).toEqual([]);
});

test("retransmits nothing for a device that misses more than a sixty-fourth", () => {
  const losses = new SingleReceiverLosses(512);
  losses.add(missing("straggler", 0, 9));
  losses.add(missing("b", 100, 1));
  expect(losses.takeRetransmits()).toEqual([100]);
  expect(losses.hasChanged).toBe(false);
  // A ninth chunk that is asked for separately does not help.
  losses.add(missing("straggler", 9, 1));
  expect(losses.hasChanged).toBe(true);
  expect(losses.takeRetransmits()).toEqual([]);
});

test("does not retransmit for one device what was retransmitted for several", () => {
  const losses = new SingleReceiverLosses(512);
  losses.add(missing("a", 0, 3));
  expect(losses.hasChanged).toBe(true);
  losses.forget([1, 2]);
  expect(losses.takeRetransmits()).toEqual([0]);
});

test("retransmits at most a sixteenth of the package in a session", () => {
  const losses = new SingleReceiverLosses(160);
  const sent = Array.from({ length: 20 }, (_, i) => {
    losses.add(missing(`device ${i}`, i * 8, 4));
    return losses.takeRetransmits().length;
  });
  expect(sent.slice(0, 4)).toEqual([4, 4, 2, 0]);
  expect(sent.reduce((sum, count) => sum + count, 0)).toBe(10);
});

test("retransmits four chunks per device and eight per session of a small package", () => {
  const losses = new SingleReceiverLosses(10);
  losses.add(missing("a", 0, 4));
  expect(losses.takeRetransmits()).toHaveLength(4);
  losses.add(missing("a", 0, 5));
  expect(losses.takeRetransmits()).toHaveLength(0);
  losses.add([...missing("b", 6, 4)]);
  expect(losses.takeRetransmits()).toHaveLength(4);
});
