import { expect, test } from "bun:test";
import { SingleReceiverLosses } from "./single-receiver-losses.ts";

const missing = (device: string, first: number, count: number): [number, string][] =>
  Array.from({ length: count }, (_, i) => [first + i, device]);

test("a few chunks of each device are sent again, once", () => {
  const lone = new SingleReceiverLosses(512);
  lone.add(missing("a", 0, 8));
  lone.add(missing("b", 100, 3));
  expect(lone.takeRetransmits()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102]);
  expect(lone.hasChanged).toBe(false);
  expect(lone.takeRetransmits()).toEqual([]);
});

test("nothing is sent again for a device that misses more than a sixty-fourth", () => {
  const lone = new SingleReceiverLosses(512);
  lone.add(missing("straggler", 0, 9));
  lone.add(missing("b", 100, 1));
  expect(lone.takeRetransmits()).toEqual([100]);
  expect(lone.hasChanged).toBe(false);
  // Also when it asks for the last of them apart.
  lone.add(missing("straggler", 9, 1));
  expect(lone.hasChanged).toBe(true);
  expect(lone.takeRetransmits()).toEqual([]);
});

test("what was sent again for several needs not be sent for one", () => {
  const lone = new SingleReceiverLosses(512);
  lone.add(missing("a", 0, 3));
  expect(lone.hasChanged).toBe(true);
  lone.forget([1, 2]);
  expect(lone.takeRetransmits()).toEqual([0]);
});

test("a session sends a sixteenth of the package again for lone devices, and no more", () => {
  const lone = new SingleReceiverLosses(160);
  const sent = Array.from({ length: 20 }, (_, i) => {
    lone.add(missing(`device ${i}`, i * 8, 4));
    return lone.takeRetransmits().length;
  });
  expect(sent.slice(0, 4)).toEqual([4, 4, 2, 0]);
  expect(sent.reduce((sum, count) => sum + count, 0)).toBe(10);
});

test("of a small package it is four chunks for a device, eight in a session", () => {
  const lone = new SingleReceiverLosses(10);
  lone.add(missing("a", 0, 4));
  expect(lone.takeRetransmits()).toHaveLength(4);
  lone.add(missing("a", 0, 5));
  expect(lone.takeRetransmits()).toHaveLength(0);
  lone.add([...missing("b", 6, 4)]);
  expect(lone.takeRetransmits()).toHaveLength(4);
});
