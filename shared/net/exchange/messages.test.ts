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
  test("survive a round trip, also with the maximum number of ranges", () => {
    expect(decodePoll(encodePoll(poll))).toEqual(poll);
    expect(decodePollAnswer(encodePollAnswer(answer))).toEqual(answer);
    const many = { ...poll, heldRanges: Array.from({ length: heldRangesMax * 2 }, (_, i) => i) };
    expect(decodePoll(encodePoll(many))).toEqual(many);
  });

  test("may have more elements, added by a later version", () => {
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
    ["a field missing", encode([device, 7_000, []])],
    ["a port of 0", encode([device, 0, [], 1])],
    ["too many ranges", encode([device, 1, Array.from({ length: heldRangesMax * 2 + 1 }, () => 1), 1])],
    ["trailing bytes", Uint8Array.from([...encodePoll(poll), 0])],
    ["a `listens` that is neither 0 nor 1", encode([device, 1, [], 2])],
    ["17 additional elements", encode([device, 1, [], 1, ...Array.from({ length: 17 }, () => 0)])],
  ])("decoding refuses a poll with %s", (_, bytes) => {
    expect(decodePoll(bytes)).toBeNull();
  });

  test.each(["evil.example", "", "10.0.0.7:80", "999.1.1.1"])(
    "decoding refuses a peer whose address is %p and not an IP address",
    (address) => {
      expect(decodePollAnswer(encode([device, [], 0, [[other, address, 1]], 0]))).toBeNull();
    },
  );

  test("decoding allocates nothing for the claimed lengths of nested arrays", () => {
    const nested = Uint8Array.from({ length: 131_000 }, (_, i) => [0xdc, 0x40, 0x00][i % 3]!);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 100; i++) {
      expect(decodePoll(nested)).toBeNull();
      expect(decodePoll(Buffer.concat([encode([device, 1, [], 0]).subarray(0, -1), nested]))).toBeNull();
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1_048_576);
  });
});
