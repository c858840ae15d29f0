import { expect, test } from "bun:test";
import fc from "fast-check";
import { ChunkSet } from "../../model/chunk-set.ts";
import { Roster, rosterDevicesMax } from "./roster.ts";

const size = 40;

test("a chunk has a listener while any device that listens to the group is missing it", () => {
  const event = fc.record({
    device: fc.constantFrom("a", "b", "c", "d"),
    range: fc.tuple(fc.nat(size - 1), fc.nat(size - 1)),
    way: fc.constantFrom("multicast", "unicast", "gone" as const),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const roster = new Roster();
      for (const { device, range, way } of events) {
        const [first, last] = range.toSorted((a, b) => a - b) as [number, number];
        const missing = ChunkSet.fromRanges(size, [first, last - first + 1])!;
        if (way === "gone") roster.forget(device);
        else roster.update({ device, address: "", lanPort: 1, missing, receivedAtMs: 0, delivery: way });
        const listeners = [...roster].filter((entry) => entry.delivery === "multicast");
        for (let chunk = 0; chunk < size; chunk++)
          expect(roster.hasListenerMissing(chunk)).toBe(listeners.some((entry) => entry.missing.has(chunk)));
      }
    }),
  );
});

test("a device dropped from a full roster is no longer a listener", () => {
  const roster = new Roster();
  for (let i = 0; i <= rosterDevicesMax; i++) {
    const missing = ChunkSet.fromRanges(size, [i === 0 ? 1 : 2, 1])!;
    roster.update({
      device: `${i}`,
      address: "",
      lanPort: 1,
      missing,
      receivedAtMs: i,
      delivery: "multicast",
    });
  }
  expect(roster.size).toBe(rosterDevicesMax);
  expect([1, 2].map((chunk) => roster.hasListenerMissing(chunk))).toEqual([false, true]);
});
