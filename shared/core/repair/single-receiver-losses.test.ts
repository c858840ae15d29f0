import { expect, test } from "bun:test";
import { LoneChunks } from "./single-receiver-losses.ts";

const missing = (device: string, first: number, count: number): [number, string][] =>
  Array.from({ length: count }, (_, i) => [first + i, device]);

test("a few chunks of each device are sent again, once", () => {
  const lone = new LoneChunks(512);
  lone.note(missing("a", 0, 8));
  lone.note(missing("b", 100, 3));
  expect(lone.take()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102]);
  expect(lone.hasNews).toBe(false);
  expect(lone.take()).toEqual([]);
});

test("nothing is sent again for a device that misses more than a sixty-fourth", () => {
  const lone = new LoneChunks(512);
  lone.note(missing("straggler", 0, 9));
  lone.note(missing("b", 100, 1));
  expect(lone.take()).toEqual([100]);
  expect(lone.hasNews).toBe(false);
  // Also when it asks for the last of them apart.
  lone.note(missing("straggler", 9, 1));
  expect(lone.hasNews).toBe(true);
  expect(lone.take()).toEqual([]);
});

test("what was sent again for several needs not be sent for one", () => {
  const lone = new LoneChunks(512);
  lone.note(missing("a", 0, 3));
  expect(lone.hasNews).toBe(true);
  lone.forget([1, 2]);
  expect(lone.take()).toEqual([0]);
});

test("a session sends a sixteenth of the package again for lone devices, and no more", () => {
  const lone = new LoneChunks(160);
  const sent = Array.from({ length: 20 }, (_, i) => {
    lone.note(missing(`device ${i}`, i * 8, 4));
    return lone.take().length;
  });
  expect(sent.slice(0, 4)).toEqual([4, 4, 2, 0]);
  expect(sent.reduce((sum, count) => sum + count, 0)).toBe(10);
});

test("of a small package it is four chunks for a device, eight in a session", () => {
  const lone = new LoneChunks(10);
  lone.note(missing("a", 0, 4));
  expect(lone.take()).toHaveLength(4);
  lone.note(missing("a", 0, 5));
  expect(lone.take()).toHaveLength(0);
  lone.note([...missing("b", 6, 4)]);
  expect(lone.take()).toHaveLength(4);
});
