/**
 * Fuzz target of the LAN exchange: messages of an insider with the package's key, changed seals,
 * and malformed requests and answers on a real socket.
 */
import { encode } from "@msgpack/msgpack";
import { ChunkSet } from "../../shared/model/chunk-set.ts";
import { createExchangeClient } from "../../shared/net/exchange/client.ts";
import {
  answerBytes,
  challengeIn,
  greetingBytes,
  greetingOf,
  headOf,
  requestMessage,
  statuses,
} from "../../shared/net/exchange/framing.ts";
import {
  decodePollAnswer,
  decodeRequest,
  encodePollAnswer,
  encodeRequest,
  heldRangesMax,
} from "../../shared/net/exchange/messages.ts";
import { contextOf, createExchangeSeal, type ExchangeSeal } from "../../shared/net/exchange/seal.ts";
import { ExchangeServer } from "../../shared/net/exchange/server.ts";
import { RawConnection } from "../../shared/net/exchange/testing.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutated, mutatedValue } from "./mutate.ts";
import { promise, type Fuzzing, type Target } from "./target.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => 255 - i);
const session = "0123456789abcdef";
const device = "00000000000000aa";
const requester = "00000000000000bb";
/** Nested array heads: a decoder that allocates an array for each head needs gigabytes. */
const nested = Uint8Array.from({ length: 30_000 }, (_, i) => [0xdc, 0x40, 0x00][i % 3]!);

function anyRanges(random: SeededRandom): number[] {
  return random.oneIn(50)
    ? Array.from({ length: heldRangesMax * 2 + random.int(4) }, (_, i) => i * 2)
    : [0, 5, 9, 1];
}

/** Returns the values of a request to `device`, mostly valid. */
function anyRequest(random: SeededRandom): unknown[] {
  const head = [1 + random.int(4), random.oneIn(8) ? random.hex(8) : requester, device];
  if (head[0] === 1) return [...head, random.edgeValue(0, 65_535), anyRanges(random), random.int(3)];
  return head[0] === 2 ? [...head, random.edgeValue(0, 2 ** 32)] : head;
}

function anyAnswer(random: SeededRandom): unknown[] {
  const peers = Array.from({ length: random.oneIn(20) ? 64 + random.int(3) : random.int(3) }, () => [
    random.hex(8),
    random.pick(["10.0.0.7", "fe80::1", "evil.example", "", "10.0.0.7:80", "127.0.0.1\r\n"]),
    random.edgeValue(0, 65_536),
  ]);
  return [random.hex(8), anyRanges(random), random.edgeValue(0, 101), peers, random.edgeValue(0, 2 ** 32)];
}

function message(random: SeededRandom): string {
  const isRequest = random.oneIn(2);
  const values = isRequest ? anyRequest(random) : anyAnswer(random);
  let bytes: Uint8Array = encode(random.oneIn(3) ? mutatedValue(random, values) : values);
  if (random.oneIn(3)) bytes = mutated(random, bytes);
  if (random.oneIn(500)) bytes = nested;
  if (isRequest) {
    const read = decodeRequest(bytes);
    if (read === null) return "message refused";
    promise(
      Bun.deepEquals(read, decodeRequest(encodeRequest(read))),
      "a decoded request is encoded as the same request",
    );
    if (read.kind === "poll") ChunkSet.fromRanges(1_000, read.poll.heldRanges);
    return `${read.kind} read`;
  }
  const read = decodePollAnswer(bytes);
  if (read === null) return "message refused";
  promise(
    Bun.deepEquals(read, decodePollAnswer(encodePollAnswer(read))),
    "a decoded answer is encoded as the same answer",
  );
  ChunkSet.fromRanges(1_000, read.heldRanges);
  return "answer read";
}

function seals(seal: ExchangeSeal, random: SeededRandom): string {
  const exchanged = { challenge: random.bytes(16), session, count: random.int(3) };
  const right = seal.seal(contextOf(exchanged, "request"), random.bytes(random.int(60)));
  const wrong = random.oneIn(3) ? right : mutated(random, right);
  if (wrong !== right && Buffer.compare(wrong, right) === 0) return "unchanged";
  const other = random.pick([
    contextOf(exchanged, "head"),
    contextOf({ ...exchanged, count: exchanged.count + 1 }, "request"),
    contextOf({ ...exchanged, challenge: random.bytes(16) }, "request"),
    contextOf({ ...exchanged, session: "1".repeat(16) }, "request"),
    contextOf(exchanged, "request", 1),
  ]);
  const context = wrong === right ? other : contextOf(exchanged, "request");
  promise(seal.open(context, wrong) === null, "a changed message, or one of another context, does not open");
  return "seal refused";
}

/** Sends a malformed request to the real server. */
async function request(exchange: ExchangeServer, seal: ExchangeSeal, random: SeededRandom): Promise<string> {
  const connection = await RawConnection.open(exchange.lanPort);
  const challenge = challengeIn(await connection.read(greetingBytes))!;
  const values = encode(anyRequest(random));
  const body = random.oneIn(2) ? values : mutated(random, values);
  const sealed = seal.seal(contextOf({ challenge, session, count: 0 }, "request"), body);
  const sent = requestMessage(random.oneIn(10) ? random.hex(8) : session, sealed);
  connection.send(random.oneIn(3) ? mutated(random, sent) : sent);
  const first = await Promise.race([
    connection.read(1).then(
      ([byte]) => byte!,
      () => null,
    ),
    // The server waits for the rest of a request that was cut.
    Bun.sleep(300).then(() => "waits"),
  ]);
  connection.close();
  promise(first !== null, "a request is answered or refused, and no connection ends without a word");
  return `request: ${first}`;
}

/** Lets the real client read a malformed answer. */
async function answer(random: SeededRandom, seal: ExchangeSeal): Promise<string> {
  const challenge = random.bytes(16);
  const exchanged = { challenge, session, count: 0 };
  const body = encode(anyAnswer(random));
  const length = random.oneIn(4) ? random.pick([0, 1, 1_000, 2 ** 32 - 1]) : body.length;
  const whole = Buffer.concat([
    Uint8Array.of(random.oneIn(8) ? random.int(256) : answerBytes.sealed),
    seal.seal(contextOf(exchanged, "head"), headOf(random.oneIn(8) ? random.int(256) : statuses.ok, length)),
    seal.seal(contextOf(exchanged, "piece", 0), body),
  ]);
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void socket.write(random.oneIn(8) ? random.bytes(20) : greetingOf(challenge)),
      data(socket) {
        socket.end(random.oneIn(3) ? mutated(random, whole) : whole);
      },
    },
  });
  const client = createExchangeClient({ keys: [{ session, key }], device: requester });
  const to = { device, address: "127.0.0.1", lanPort: server.port };
  try {
    if (random.oneIn(2)) {
      const poll = { device: requester, lanPort: 1, heldRanges: [], listens: random.oneIn(2) };
      return (await client.poll(to, poll)) === null ? "poll: nothing" : "poll: answer";
    }
    const got = await client.chunk(to, random.int(3), 1_000);
    promise(got.kind !== "chunk" || got.bytes.length === 1_000, "a chunk has the requested length");
    return `chunk: ${got.kind}`;
  } finally {
    client.close();
    server.stop(true);
  }
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
  return {
    run: (random) => {
      if (random.oneIn(1_500)) return answer(random, seal);
      if (random.oneIn(1_500)) return request(exchange, seal, random);
      return random.oneIn(20) ? seals(seal, random) : message(random);
    },
    close: () => exchange.close(),
  };
}

export const exchange: Target = {
  name: "exchange",
  about: "messages of the LAN exchange, its seals, its requests and answers on a socket",
  share: 1_300,
  open: openExchange,
};
