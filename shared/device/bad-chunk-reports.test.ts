import { expect, test } from "bun:test";
import { wrongSendersMax } from "../api/schema/common.ts";
import { BadChunkReports } from "./bad-chunk-reports.ts";

test.each<
  [
    what: string,
    chunks: [address: string, deviceId: string | null][],
    list: [string, string | null, number][],
  ]
>([
  ["none when no chunk was wrong", [], []],
  [
    "their number for each address",
    [
      ["10.0.0.2", "a"],
      ["10.0.0.3", "b"],
      ["10.0.0.2", "a"],
    ],
    [
      ["10.0.0.2", "a", 2],
      ["10.0.0.3", "b", 1],
    ],
  ],
  [
    "two senders when one address states two devices",
    [
      ["10.0.0.2", "a"],
      ["10.0.0.2", "b"],
    ],
    [
      ["10.0.0.2", "a", 1],
      ["10.0.0.2", "b", 1],
    ],
  ],
  [
    "two senders when two addresses state one device",
    [
      ["10.0.0.2", "a"],
      ["10.0.0.3", "a"],
    ],
    [
      ["10.0.0.2", "a", 1],
      ["10.0.0.3", "a", 1],
    ],
  ],
  [
    "a sender of its own when no device was stated",
    [
      ["10.0.0.2", null],
      ["10.0.0.2", "a"],
      ["10.0.0.2", null],
    ],
    [
      ["10.0.0.2", null, 2],
      ["10.0.0.2", "a", 1],
    ],
  ],
])("reports of wrong chunks are %s", (_, chunks, list) => {
  const reports = new BadChunkReports();
  for (const [address, deviceId] of chunks) reports.add(address, deviceId);
  expect(reports.list()).toEqual(
    list.map(([address, deviceId, count]) => ({ address, deviceId, chunks: count })),
  );
});

test("reports of wrong chunks have at most as many senders as the API takes, and count those further", () => {
  const reports = new BadChunkReports();
  for (let i = 0; i < wrongSendersMax + 5; i++) reports.add(`10.0.0.${i}`, null);
  reports.add("10.0.0.0", null);
  const list = reports.list();
  expect(list).toHaveLength(wrongSendersMax);
  expect(list[0]).toEqual({ address: "10.0.0.0", deviceId: null, chunks: 2 });
  expect(list.at(-1)!.address).toBe(`10.0.0.${wrongSendersMax - 1}`);
});
