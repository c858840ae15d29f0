import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "bun:test";
import { decodePoll, decodePollAnswer, encodePoll, encodePollAnswer, heldRangesMax } from "./messages.ts";

const device = "00000000000000aa";
const other = "00000000000000bb";
const poll = { device, lanPort: 7_000, heldRanges: [0, 3, 9, 1], listens: true };
const answer = {
  device,
  heldRanges: [0, 3],
  load: 50,
  peers: [{ device: other, address: "10.0.0.7", lanPort: 1 }],
  leads: 3,
};

describe("messages of the LAN exchange", () => {
  test("come back as they were, also with as many ranges as there may be", () => {
    expect(decodePoll(encodePoll(poll))).toEqual(poll);
    expect(decodePollAnswer(encodePollAnswer(answer))).toEqual(answer);
    const many = { ...poll, heldRanges: Array.from({ length: heldRangesMax * 2 }, (_, i) => i) };
    expect(decodePoll(encodePoll(many))).toEqual(many);
  });

  test("may have further elements, which a later version wrote", () => {
    const later = [null, { a: [1] }, "x"];
    expect(decodePoll(encode([device, 7_000, [], 0, ...later]))).toEqual({
      device,
      lanPort: 7_000,
      heldRanges: [],
      listens: false,
    });
    const peer = [other, "10.0.0.7", 1, ...later];
    expect(decodePollAnswer(encode([device, [0, 3], 50, [peer], 3, ...later]))).toEqual(answer);
  });

  test.each([
    ["no array", encode("x")],
    ["a field too few", encode([device, 7_000, []])],
    ["a port of 0", encode([device, 0, [], 1])],
    ["too many ranges", encode([device, 1, Array.from({ length: heldRangesMax * 2 + 1 }, () => 1), 1])],
    ["bytes behind it", Uint8Array.from([...encodePoll(poll), 0])],
    ["something else than whether it listens", encode([device, 1, [], 2])],
    ["17 further elements", encode([device, 1, [], 1, ...Array.from({ length: 17 }, () => 0)])],
  ])("a poll with %s is refused", (_, bytes) => {
    expect(decodePoll(bytes)).toBeNull();
  });

  test.each(["evil.example", "", "10.0.0.7:80", "999.1.1.1"])(
    "a neighbour at %p is refused: only addresses are connected to",
    (address) => {
      expect(decodePollAnswer(encode([device, [], 0, [[other, address, 1]], 0]))).toBeNull();
    },
  );

  test("heads of arrays in arrays take no memory: a general decoder makes an array for each", () => {
    const nested = Uint8Array.from({ length: 131_000 }, (_, i) => [0xdc, 0x40, 0x00][i % 3]!);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 100; i++) {
      expect(decodePoll(nested)).toBeNull();
      expect(decodePoll(Buffer.concat([encode([device, 1, [], 0]).subarray(0, -1), nested]))).toBeNull();
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1_048_576);
  });
});
