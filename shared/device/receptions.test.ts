import { expect, test } from "bun:test";
import { receivedFromMax } from "../api/schema/common.ts";
import { Receptions } from "./receptions.ts";

const device = (at: number): string => at.toString(16).padStart(16, "0");

test("lists the bytes of a device and the ages of the last sign and the last bytes", () => {
  const receptions = new Receptions();
  receptions.sign(device(1), 1_000);
  expect(receptions.list(1_500)).toEqual([
    { deviceId: device(1), bytes: 0, signAgoMs: 500, bytesAgoMs: null },
  ]);
  receptions.bytes(device(1), 40, 2_000);
  receptions.bytes(device(1), 2, 3_000);
  receptions.sign(device(1), 4_000);
  expect(receptions.list(4_100.4)).toEqual([
    { deviceId: device(1), bytes: 42, signAgoMs: 100, bytesAgoMs: 1_100 },
  ]);
});

test("lists the devices received last, however many there were", () => {
  const receptions = new Receptions();
  for (let at = 0; at < 1_000; at++) receptions.sign(device(at), at);
  receptions.sign(device(990), 1_000);
  const listed = receptions.list(1_000).map(({ deviceId }) => deviceId);
  expect(listed).toHaveLength(receivedFromMax);
  expect(listed.slice(0, 2)).toEqual([device(990), device(999)]);
});
