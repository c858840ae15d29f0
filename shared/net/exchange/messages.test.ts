import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "bun:test";
import {
  decodePollAnswer,
  decodeRequest,
  encodePollAnswer,
  encodeRequest,
  heldRangesMax,
  type ExchangeRequest,
} from "./messages.ts";

const device = "00000000000000aa";
const other = "00000000000000bb";
const polled = { device, lanPort: 7_000, heldRanges: [0, 3, 9, 1], listens: true };
const poll: ExchangeRequest = { kind: "poll", from: device, to: other, poll: polled };
const head = [1, device, other];
const answer = {
  device,
  heldRanges: [0, 3],
  load: 50,
  peers: [{ device: other, address: "10.0.0.7", lanPort: 1 }],
  leads: 3,
};

describe("messages of the LAN exchange", () => {
  test("survive a round trip, also with the maximum number of ranges", () => {
    const asked = { from: device, to: other };
    const requests: ExchangeRequest[] = [
      poll,
      { kind: "chunk", ...asked, chunk: 4_294_967_295 },
      { kind: "manifest", ...asked },
      { kind: "probe", ...asked },
    ];
    for (const request of requests) expect(decodeRequest(encodeRequest(request))).toEqual(request);
    expect(decodePollAnswer(encodePollAnswer(answer))).toEqual(answer);
    const heldRanges = Array.from({ length: heldRangesMax * 2 }, (_, i) => i);
    const many: ExchangeRequest = { ...poll, poll: { ...polled, heldRanges } };
    expect(decodeRequest(encodeRequest(many))).toEqual(many);
  });

  test("may have more elements, added by a later version", () => {
    const later = [null, { a: [1] }, "x"];
    const plain = { device, lanPort: 7_000, heldRanges: [], listens: false };
    expect(decodeRequest(encode([...head, 7_000, [], 0, ...later]))).toEqual({ ...poll, poll: plain });
    expect(decodeRequest(encode([3, device, other, ...later]))).toMatchObject({ kind: "manifest" });
    const peer = [other, "10.0.0.7", 1, ...later];
    expect(decodePollAnswer(encode([device, [0, 3], 50, [peer], 3, ...later]))).toEqual(answer);
  });

  test.each([
    ["no array", encode("x")],
    ["a field missing", encode([...head, 7_000, []])],
    ["a port of 0", encode([...head, 0, [], 1])],
    ["too many ranges", encode([...head, 1, Array.from({ length: heldRangesMax * 2 + 1 }, () => 1), 1])],
    ["trailing bytes", Uint8Array.from([...encodeRequest(poll), 0])],
    ["a `listens` that is neither 0 nor 1", encode([...head, 1, [], 2])],
    ["17 additional elements", encode([...head, 1, [], 1, ...Array.from({ length: 17 }, () => 0)])],
    ["an unknown kind", encode([5, device, other, 1])],
    ["a device that is no id", encode([3, device, "x"])],
  ])("decoding refuses a request with %s", (_, bytes) => {
    expect(decodeRequest(bytes)).toBeNull();
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
      expect(decodeRequest(nested)).toBeNull();
      const late = Buffer.concat([encode([...head, 1, [], 0]).subarray(0, -1), nested]);
      expect(decodeRequest(late)).toBeNull();
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1_048_576);
  });
});
