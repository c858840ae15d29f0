import { expect, test } from "bun:test";
import { mayBeNeighbour } from "./neighbour.ts";

const wired = { address: "10.0.0.5", cidr: "10.0.0.5/24" };

test.each(["10.0.0.1", "10.0.0.254", "::ffff:10.0.0.9"])(
  "%s may be a neighbour of 10.0.0.5/24",
  (address) => {
    expect(mayBeNeighbour(wired, address)).toBe(true);
  },
);

test.each([
  "10.0.0.0",
  "10.0.0.255",
  "10.0.1.6",
  "8.8.8.8",
  "127.0.0.1",
  "169.254.169.254",
  "255.255.255.255",
  "239.255.70.67",
  "0.0.0.0",
  "fe80::1",
  "host.example",
  "",
])("%s is not a neighbour of 10.0.0.5/24", (address) => {
  expect(mayBeNeighbour(wired, address)).toBe(false);
});

test.each([
  ["10.0.0.4/31", "10.0.0.5", true],
  ["10.0.0.4/32", "10.0.0.5", false],
  ["169.254.1.1/16", "169.254.1.2", true],
  ["100.64.0.1/10", "100.64.0.9", true],
  ["2001:db8::5/64", "2001:db8::6", true],
  ["fd00::5/64", "fd00::6", true],
  ["fe80::5/64", "fe80::6", true],
  ["fd00::5/64", "fd00:1::6", false],
  ["0.0.0.0/0", "127.0.0.1", false],
  ["not a network", "10.0.0.6", false],
])("on %s, %s counts as a neighbour: %p", (cidr, address, isNeighbour) => {
  expect(mayBeNeighbour({ address: cidr.split("/")[0]!, cidr }, address)).toBe(isNeighbour);
});

test("devices on one loopback interface may share its address", () => {
  const loopback = { address: "127.0.0.1", cidr: "127.0.0.1/8" };
  expect(mayBeNeighbour(loopback, "127.0.0.1")).toBe(true);
  expect(mayBeNeighbour(loopback, "127.9.0.1")).toBe(true);
  expect(mayBeNeighbour(loopback, "10.0.0.1")).toBe(false);
});

test("a device without an interface has no neighbours", () => {
  expect(mayBeNeighbour(null, "10.0.0.1")).toBe(false);
});

test("another agent of the same machine is a neighbour", () => {
  expect(mayBeNeighbour(wired, "10.0.0.5")).toBe(true);
});
