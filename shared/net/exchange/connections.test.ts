import { expect, test } from "bun:test";
import { Connections } from "./connections.ts";

const closed: string[] = [];
const open = (address: string, isProved: boolean, waitingBytes = 0) => ({
  address,
  isProved,
  waitingBytes,
  close: () => void closed.push(address),
});

test("one address has at most 32 connections", () => {
  const connections = new Connections<ReturnType<typeof open>>();
  for (let count = 0; count < 32; count++) {
    expect(connections.admits("10.0.0.9")).toBe(true);
    connections.add(open("10.0.0.9", true));
  }
  expect([connections.admits("10.0.0.9"), connections.admits("10.0.0.8")]).toEqual([false, true]);
});

test("of 32 connections of an address the oldest that proved nothing makes room", () => {
  const connections = new Connections<ReturnType<typeof open>>();
  for (let count = 0; count < 32; count++) connections.add(open("10.0.0.9", count !== 7));
  expect(connections.admits("10.0.0.9")).toBe(true);
  connections.add(open("10.0.0.9", true));
  expect([connections.admits("10.0.0.9"), connections.count]).toEqual([false, 32]);
});

test("of unfinished requests the oldest is dropped, first one of those that proved nothing", () => {
  const connections = new Connections<ReturnType<typeof open>>();
  const own = open("10.0.0.1", false, 50);
  const others = [open("10.0.0.2", true, 9), open("10.0.0.3", false), open("10.0.0.4", false, 9)];
  for (const connection of [own, ...others]) connections.add(connection);
  closed.length = 0;
  expect([1, 2, 3].map(() => connections.dropWaiting(own))).toEqual([true, true, false]);
  expect(closed).toEqual(["10.0.0.4", "10.0.0.2"]);
});

test("of 256 connections the oldest that proved nothing makes room, and a proved one never", () => {
  const connections = new Connections<ReturnType<typeof open>>();
  for (let count = 0; count < 254; count++) connections.add(open(`10.0.1.${count}`, true));
  for (const address of ["10.0.2.1", "10.0.2.2"]) connections.add(open(address, false));
  closed.length = 0;
  for (const address of ["10.0.3.1", "10.0.3.2"]) {
    expect(connections.admits(address)).toBe(true);
    connections.add(open(address, true));
  }
  expect(closed).toEqual(["10.0.2.1", "10.0.2.2"]);
  expect([connections.admits("10.0.3.3"), connections.count]).toEqual([false, 256]);
});
