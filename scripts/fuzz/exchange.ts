/**
 * Fuzz target of the LAN exchange: messages of an insider with the package's key, changed seals,
 * and malformed requests and answers on a real socket.
 */
import { encode } from "@msgpack/msgpack";
import { ChunkSet } from "../../shared/model/chunk-set.ts";
import { createExchangeClient } from "../../shared/net/exchange/client.ts";
import {
  decodePoll,
  decodePollAnswer,
  encodePoll,
  encodePollAnswer,
  heldRangesMax,
} from "../../shared/net/exchange/messages.ts";
import { createExchangeSeal, type ExchangeSeal } from "../../shared/net/exchange/seal.ts";
import { ExchangeServer } from "../../shared/net/exchange/server.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutated, mutatedValue } from "./mutate.ts";
import { rawAnswer, openRawServer, rawRequest } from "./raw-http.ts";
import { promise, type Fuzzing, type Target } from "./target.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => 255 - i);
const session = "0123456789abcdef";
const device = "00000000000000aa";
const pollPath = `/exchange/${session}/poll`;
/** Nested array heads: a decoder that allocates an array for each head needs gigabytes. */
const nested = Uint8Array.from({ length: 30_000 }, (_, i) => [0xdc, 0x40, 0x00][i % 3]!);

function anyPoll(random: SeededRandom): unknown[] {
  const ranges = random.oneIn(50)
    ? Array.from({ length: heldRangesMax * 2 + random.int(4) }, (_, i) => i * 2)
    : [0, 5, 9, 1];
  return [random.hex(8), random.edgeValue(0, 65_535), ranges, random.int(3)];
}

function anyAnswer(random: SeededRandom): unknown[] {
  const [from, , ranges] = anyPoll(random);
  const peers = Array.from({ length: random.oneIn(20) ? 64 + random.int(3) : random.int(3) }, () => [
    random.hex(8),
    random.pick(["10.0.0.7", "fe80::1", "evil.example", "", "10.0.0.7:80", "127.0.0.1\r\n"]),
    random.edgeValue(0, 65_536),
  ]);
  return [from, ranges, random.edgeValue(0, 101), peers, random.edgeValue(0, 2 ** 32)];
}

function message(random: SeededRandom): string {
  const isPoll = random.oneIn(2);
  const values = isPoll ? anyPoll(random) : anyAnswer(random);
  let bytes: Uint8Array = encode(random.oneIn(3) ? mutatedValue(random, values) : values);
  if (random.oneIn(3)) bytes = mutated(random, bytes);
  if (random.oneIn(500)) bytes = nested;
  const read = isPoll ? decodePoll(bytes) : decodePollAnswer(bytes);
  if (read === null) return "message refused";
  const again = isPoll
    ? decodePoll(encodePoll(read as never))
    : decodePollAnswer(encodePollAnswer(read as never));
  promise(Bun.deepEquals(read, again), "a decoded message is encoded as the same message");
  ChunkSet.fromRanges(1_000, read.heldRanges);
  return isPoll ? "poll read" : "answer read";
}

function seals(seal: ExchangeSeal, random: SeededRandom): string {
  const right = seal.seal(`${pollPath} request`, random.bytes(random.int(60)));
  const wrong = random.oneIn(3) ? right : mutated(random, right);
  const context = wrong === right ? `${pollPath} answer` : `${pollPath} request`;
  if (wrong !== right && Buffer.compare(wrong, right) === 0) return "unchanged";
  promise(seal.open(context, wrong) === null, "a changed message, or one of another context, does not open");
  promise(!seal.isProof(pollPath, random.hex(random.int(40))), "an invented proof is refused");
  return "seal refused";
}

/** Sends a malformed request to the real server. */
async function request(exchange: ExchangeServer, seal: ExchangeSeal, random: SeededRandom): Promise<string> {
  const isPoll = random.oneIn(2);
  const path = isPoll ? pollPath : `/exchange/${session}/chunk/${random.pick(["0", "7", "4294967296", "x"])}`;
  const body = isPoll
    ? seal.seal(`${path} request`, mutated(random, encode(anyPoll(random))))
    : new Uint8Array(0);
  const proof = random.oneIn(2) ? seal.proof(path) : random.hex(32);
  const status = await rawRequest(random, exchange.lanPort, {
    method: isPoll ? "POST" : "GET",
    path,
    body,
    proof,
  });
  promise(status !== 500, "no request causes a server error");
  return `request: ${status}`;
}

async function answer(
  random: SeededRandom,
  client: ReturnType<typeof createExchangeClient>,
  port: number,
): Promise<string> {
  const to = { address: "127.0.0.1", lanPort: port };
  if (random.oneIn(2)) {
    const polled = await client.poll(to, { device, lanPort: 1, heldRanges: [], listens: random.oneIn(2) });
    return polled === null ? "poll: nothing" : "poll: answer";
  }
  const got = await client.chunk(to, random.int(3), 1_000);
  promise(got.kind !== "chunk" || got.bytes.length === 1_000, "a chunk has the requested length");
  return `chunk: ${got.kind}`;
}

async function openExchange(): Promise<Fuzzing> {
  const seal = createExchangeSeal(key);
  const exchange = new ExchangeServer({ interfaceAddress: "127.0.0.1", device, onError: () => {} });
  const held = ChunkSet.fromRanges(3, [0, 2])!;
  exchange.offer(session, {
    key,
    chunkSizeBytes: 262_144,
    held: () => held,
    readChunk: async () => new Uint8Array(1_000),
    manifest: async () => new Uint8Array(500),
    onPoll: () => ({ peers: [], leads: 0 }),
  });
  let next: Uint8Array = new Uint8Array(0);
  const server = openRawServer(() => next);
  const client = createExchangeClient(session, key);
  return {
    run: (random) => {
      if (random.oneIn(1_500)) {
        const sealed = seal.seal(`${pollPath} answer`, encode(anyAnswer(random)));
        next = rawAnswer(random, random.oneIn(3) ? mutated(random, sealed) : sealed, { range: false });
        return answer(random, client, server.port);
      }
      if (random.oneIn(1_500)) return request(exchange, seal, random);
      return random.oneIn(20) ? seals(seal, random) : message(random);
    },
    close: async () => {
      client.close();
      server.close();
      await exchange.close();
    },
  };
}

export const exchange: Target = {
  name: "exchange",
  about: "messages of the LAN exchange, its seals, its requests and answers on a socket",
  share: 1_300,
  open: openExchange,
};
