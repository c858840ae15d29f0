import { expect, test } from "bun:test";
import { LinkSize } from "./link-size.ts";

test.each([
  [576, 480],
  [1_400, 1_304],
  [1_500, 1_400],
  [9_000, 8_904],
  [9_216, 8_904],
  [65_536, 1_400],
  [null, 1_400],
])("an MTU of %p gives symbols of at most %d bytes", (mtu, symbolMaxBytes) => {
  expect(new LinkSize(mtu).symbolMaxBytes).toBe(symbolMaxBytes);
});

test("follows the MTU down and up", () => {
  const size = new LinkSize(1_500);
  size.onMtu(1_400);
  expect(size.datagramBytes).toBe(1_372);
  size.onMtu(1_500);
  expect(size.datagramBytes).toBe(1_472);
});

test("tries smaller sizes for datagrams that the system refuses, and keeps them while the MTU stays", () => {
  const size = new LinkSize(1_500);
  const sizes: number[] = [];
  while (size.onRefused(size.datagramBytes)) {
    size.onMtu(1_500);
    sizes.push(size.datagramBytes);
  }
  expect(sizes).toEqual([1_372, 1_252, 548]);
  expect(size.symbolMaxBytes).toBe(480);
});

test("a datagram of a former size does not make the size fall again", () => {
  const size = new LinkSize(1_500);
  size.onRefused(1_466);
  size.onRefused(1_466);
  expect(size.datagramBytes).toBe(1_372);
});
