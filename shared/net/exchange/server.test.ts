import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ChunkSet } from "../../model/chunk-set.ts";
import { createExchangeClient } from "./client.ts";
import { ServerConnection } from "./connection.ts";
import {
  answerBytes,
  challengeIn,
  greetingBytes,
  greetingOf,
  headBytes,
  headIn,
  requestBytesMax,
  requestMessage,
  statuses,
} from "./framing.ts";
import { encodeRequest, type ExchangeRequest } from "./messages.ts";
import type { PeerConnection } from "./peers.ts";
import { contextOf, createExchangeSeal } from "./seal.ts";
import { ExchangeServer } from "./server.ts";
import { RawConnection, Recorder } from "./testing.ts";

const device = "00000000000000aa";
const asker = "00000000000000bb";
const session = "0123456789abcdef";
const key = randomBytes(16);
const chunks = [randomBytes(300_000), randomBytes(300_000), randomBytes(1_000)];

const manifest = new Uint8Array(1_000_000).fill(7);
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await Bun.sleep(5);
};
let exchange: ExchangeServer;
let client: PeerConnection;
let verified: ChunkSet;
const to = () => ({ device, address: "127.0.0.1", lanPort: exchange.lanPort });

beforeEach(() => {
  exchange = new ExchangeServer({ interfaceAddress: "127.0.0.1", device, onError: () => {} });
  verified = ChunkSet.fromRanges(3, [0, 2])!;
  exchange.offer(session, {
    key,
    chunkSizeBytes: 300_000,
    held: () => verified,
    readChunk: async (chunk) => new Uint8Array(chunks[chunk]!),
    manifest: async () => manifest,
    onPoll: (poll, address) => ({ peers: [{ device: poll.device, address, lanPort: 77 }], leads: 3 }),
  });
  client = createExchangeClient({ keys: [{ session, key }], device: asker });
});
afterEach(async () => {
  client.close();
  await exchange.close();
});

describe("the LAN exchange", () => {
  test("serves the manifest to devices that have the package's key", async () => {
    expect(await client.manifest(to())).toEqual(Buffer.from(manifest));
    const stranger = createExchangeClient({ keys: [{ session, key: Buffer.alloc(16, 9) }], device: asker });
    expect(await stranger.manifest(to())).toBe("unreachable");
    stranger.close();
    expect(await client.manifest({ ...to(), lanPort: 1 })).toBe("unreachable");
  });

  test("listens on its port, or on another one while that is taken", async () => {
    const own = { interfaceAddress: "127.0.0.1", device, lanPort: exchange.lanPort, onError: () => {} };
    const second = new ExchangeServer(own);
    try {
      await second.move("127.0.0.1");
      expect(second.lanPort).not.toBe(own.lanPort);
      expect(second.portProblem).toBe(`TCP port ${own.lanPort} cannot be used: another program uses it`);
      // The port is free on another address, and on this one once the other program has ended.
      await second.move("127.0.0.2");
      expect(second).toMatchObject({ lanPort: own.lanPort, portProblem: "" });
      await exchange.close();
      await second.move("127.0.0.1");
      expect(second).toMatchObject({ lanPort: own.lanPort, portProblem: "" });
    } finally {
      await second.close();
    }
  });

  test("serves verified chunks and no others", async () => {
    expect(await client.chunk(to(), 1, 300_000)).toEqual({ kind: "chunk", bytes: expect.anything() });
    const answer = await client.chunk(to(), 0, 300_000);
    expect(answer.kind === "chunk" && Buffer.compare(answer.bytes, chunks[0]!)).toBe(0);
    expect(await client.chunk(to(), 2, 1_000)).toEqual({ kind: "not-found" });
    expect(exchange.counters).toMatchObject({ chunksSent: 2, bytesSent: 600_000, refused: 1 });
  });

  test("answers a poll with its held ranges and the other devices", async () => {
    const answer = await client.poll(to(), {
      device: asker,
      lanPort: 4_000,
      heldRanges: [2, 1],
      listens: true,
    });
    expect(answer).toEqual({
      device,
      heldRanges: [0, 2],
      load: 0,
      peers: [{ device: asker, address: "127.0.0.1", lanPort: 77 }],
      leads: 3,
    });
  });

  test("keeps its packages and its port when it moves to another address", async () => {
    const { lanPort } = exchange;
    await exchange.move("127.0.0.1");
    expect(exchange.lanPort).toBe(lanPort);
    expect(await client.chunk(to(), 1, 300_000)).toMatchObject({ kind: "chunk" });
  });

  test("refuses chunks and polls to a device without the package's key", async () => {
    const stranger = createExchangeClient({ keys: [{ session, key: randomBytes(16) }], device: asker });
    expect(await stranger.chunk(to(), 0, 300_000)).toEqual({
      kind: "failed",
      reason: "it refused the proof",
    });
    expect(
      await stranger.poll(to(), { device: asker, lanPort: 4_000, heldRanges: [], listens: false }),
    ).toBeNull();
    stranger.close();
  });

  test("rejects an answer that is sealed with another key, too long, or not one of this exchange", async () => {
    const servers: Bun.TCPSocketListener[] = [];
    const serving = (answer: Uint8Array, greeting = greetingOf(randomBytes(16))) => {
      const server = Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        socket: {
          open: (socket) => void socket.write(greeting),
          data: (socket) => void socket.write(answer),
        },
      });
      servers.push(server);
      return { device, address: "127.0.0.1", lanPort: server.port };
    };
    const noise = serving(Buffer.concat([Uint8Array.of(0), randomBytes(1_028)]));
    expect(await client.chunk(noise, 2, 1_000)).toEqual({ kind: "wrong" });
    const poll = { device: asker, lanPort: 1, heldRanges: [], listens: false };
    expect(await client.poll(noise, poll)).toBeNull();
    const other = serving(new Uint8Array(9), Buffer.from("HTTP/1.1 200 OK\r\n\r\n".padEnd(40)));
    expect(await client.chunk(other, 2, 1_000)).toEqual({
      kind: "failed",
      reason: "it has another version of the exchange",
    });
    expect(await client.chunk(to(), 0, 10)).toEqual({ kind: "failed", reason: "the answer is too long" });
    expect(await client.chunk(to(), 0, 300_001)).toEqual({ kind: "wrong" });
    for (const server of servers) server.stop(true);
  });

  test("answers only requests for the device that it is", async () => {
    const strange = { ...to(), device: "00000000000000cc" };
    expect(await client.chunk(strange, 0, 300_000)).toMatchObject({ kind: "failed" });
    expect(exchange.counters).toMatchObject({ refused: 1, chunksSent: 0 });
  });

  test("reports an unreachable device as a failure, without throwing", async () => {
    const address = to();
    await exchange.close();
    expect(await client.chunk(address, 0, 300_000)).toMatchObject({
      kind: "failed",
    });
  });

  test("sends no request to an address outside its network", async () => {
    let connections = 0;
    const victim = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: () => void connections++, data: () => {} },
    });
    const near = new ExchangeServer({
      interfaceAddress: "127.0.0.1",
      device,
      isNeighbour: () => false,
      onError: () => {},
    });
    const connection = near.connect([{ session, key }]);
    const at = { device: asker, address: "127.0.0.1", lanPort: victim.port };
    const poll = { device: asker, lanPort: 1, heldRanges: [], listens: false };
    expect(await connection.chunk(at, 0, 10)).toEqual({
      kind: "failed",
      reason: "127.0.0.1 is not an address of this network",
    });
    expect([await connection.poll(at, poll), await connection.manifest(at)]).toEqual([null, "unreachable"]);
    expect(connections).toBe(0);
    connection.close();
    victim.stop(true);
    await near.close();
  });

  test("refuses malformed requests, says why, and closes the connection", async () => {
    const seal = createExchangeSeal(key);
    const sealed = (change: Partial<ExchangeRequest>, greeting: Uint8Array, count = 0) =>
      seal.seal(
        contextOf({ challenge: challengeIn(greeting)!, session, count }, "request"),
        encodeRequest({ kind: "manifest", from: asker, to: device, ...change } as ExchangeRequest),
      );
    const answersTo = async (message: (greeting: Uint8Array) => Uint8Array): Promise<number[]> => {
      const connection = await RawConnection.open(exchange.lanPort);
      connection.send(message(await connection.read(greetingBytes)));
      const answer = await connection.readAll();
      return [answer.length, answer[0] ?? -1];
    };
    expect(await answersTo(() => Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toEqual([1, 2]);
    expect(await answersTo(() => Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toEqual([1, 2]);
    expect(await answersTo(() => requestMessage(session, randomBytes(500)))).toEqual([1, 2]);
    expect(await answersTo((g) => requestMessage(session, sealed({}, g, 1)))).toEqual([1, 2]);
    expect(await answersTo((g) => requestMessage(session, sealed({ to: asker }, g)))).toEqual([1, 2]);
    expect(await answersTo((g) => requestMessage("f".repeat(16), sealed({}, g)))).toEqual([1, 1]);
    expect(exchange.counters.refused).toBe(6);
  });

  test("reads a request that arrives byte by byte, and closes a connection that repeats one", async () => {
    const connection = await RawConnection.open(exchange.lanPort);
    const challenge = challengeIn(await connection.read(greetingBytes))!;
    const seal = createExchangeSeal(key);
    const exchanged = { challenge, session, count: 0 };
    const request = encodeRequest({ kind: "chunk", from: asker, to: device, chunk: 2 });
    const message = requestMessage(session, seal.seal(contextOf(exchanged, "request"), request));
    for (const byte of message) {
      connection.send(Uint8Array.of(byte));
      await Bun.sleep(0);
    }
    const head = (await connection.read(1 + headBytes)).subarray(1);
    expect(headIn(seal.open(contextOf(exchanged, "head"), head)!).status).toBe(statuses.notHeld);
    connection.send(message);
    expect(await connection.readAll()).toEqual(Buffer.of(answerBytes.refused));
  });
});

test("a device that does not know the newest key is asked under the one before, until it learns it", async () => {
  const next = { session: "1111111111111111", key: randomBytes(16) };
  const moved = createExchangeClient({ keys: [next, { session, key }], device: asker });
  const wanted = (): Promise<unknown> => moved.chunk(to(), 0, 300_000);
  expect(await wanted()).toMatchObject({ kind: "chunk" });
  expect(await moved.manifest(to())).not.toBeNull();
  // Only the first request was made under a key that the device did not know.
  expect(exchange.counters.refused).toBe(1);
  exchange.withdraw(session);
  exchange.offer(next.session, {
    key: next.key,
    chunkSizeBytes: 300_000,
    held: () => verified,
    readChunk: async (chunk) => new Uint8Array(chunks[chunk]!),
    manifest: async () => manifest,
  });
  expect(await wanted()).toMatchObject({ kind: "chunk" });
  exchange.withdraw(next.session);
  expect(await wanted()).toEqual({ kind: "not-found" });
  moved.close();
});

describe("a stranger that recorded the traffic of a device", () => {
  test("gets no answer to a request, a poll or a manifest a second time", async () => {
    let reads = 0;
    let polls = 0;
    exchange.offer(session, {
      key,
      chunkSizeBytes: 300_000,
      held: () => verified,
      readChunk: async (chunk) => (reads++, new Uint8Array(chunks[chunk]!)),
      manifest: async () => (reads++, manifest),
      onPoll: () => (polls++, { peers: [], leads: 0 }),
    });
    const recorder = await Recorder.before(exchange.lanPort);
    const through = { ...to(), lanPort: recorder.port };
    expect(await client.chunk(through, 0, 300_000)).toMatchObject({ kind: "chunk" });
    expect(await client.manifest(through)).not.toBeNull();
    expect(
      await client.poll(through, { device: asker, lanPort: 4_000, heldRanges: [], listens: true }),
    ).not.toBeNull();
    expect([reads, polls, recorder.recorded.length]).toEqual([2, 1, 1]);
    const { recorded } = recorder;
    recorder.close();
    // The first message of the record is complete; each later one is tried alone, too.
    const all = Buffer.concat(recorded[0]!);
    const messages: Buffer[] = [];
    for (let rest = all; rest.length > 4;) {
      const end = 4 + rest.readUInt32BE(0);
      if (end > 4) messages.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    expect(messages.length).toBe(3);
    for (const message of [all, ...messages]) {
      const connection = await RawConnection.open(exchange.lanPort);
      await connection.read(greetingBytes);
      connection.send(message);
      expect(await connection.readAll()).toEqual(Buffer.of(answerBytes.refused));
    }
    expect([reads, polls, exchange.load]).toEqual([2, 1, 0]);
  });
});

describe("the LAN exchange with requesters that do not read", () => {
  const chunkSizeBytes = 4_194_304;
  const connections: RawConnection[] = [];
  afterEach(() => connections.splice(0).forEach((connection) => connection.close()));

  /** Requests a chunk, and reads nothing of the answer. */
  async function requestWithoutReading(chunk: number): Promise<void> {
    const connection = await RawConnection.open(exchange.lanPort);
    connections.push(connection);
    const challenge = challengeIn(await connection.read(greetingBytes))!;
    connection.pause();
    const context = contextOf({ challenge, session, count: 0 }, "request");
    const request = encodeRequest({ kind: "chunk", from: asker, to: device, chunk });
    connection.send(requestMessage(session, createExchangeSeal(key).seal(context, request)));
  }

  test("120 of them keep a bounded number of chunks in memory, and the others are busy", async () => {
    let reads = 0;
    exchange.offer(session, {
      key,
      chunkSizeBytes,
      held: () => verified,
      manifest: async () => null,
      readChunk: async () => (reads++, new Uint8Array(chunkSizeBytes).fill(1)),
    });
    Bun.gc(true);
    const beforeBytes = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 120; i++) await requestWithoutReading(0);
    await until(() => exchange.counters.refused >= 112);
    expect([reads, exchange.counters.refused, exchange.load]).toEqual([8, 112, 100]);
    Bun.gc(true);
    // Eight chunks, plain and sealed; each chunk in memory would make 120.
    expect(process.memoryUsage().arrayBuffers - beforeBytes).toBeLessThanOrEqual(16 * chunkSizeBytes);
    expect(await client.chunk(to(), 0, chunkSizeBytes)).toEqual({ kind: "busy" });
    for (const connection of connections.splice(0)) connection.close();
    await until(() => exchange.load === 0);
    expect(await client.chunk(to(), 0, chunkSizeBytes)).toMatchObject({ kind: "chunk" });
  });

  test("an upload counts until it is acknowledged, also when the system took all bytes", async () => {
    await requestWithoutReading(0);
    await until(() => exchange.counters.chunksSent === 1);
    expect(exchange.load).toBeGreaterThan(0);
    for (const connection of connections.splice(0)) connection.close();
    await until(() => exchange.load === 0);
  });

  test("they are dropped after a time, and give their place back", async () => {
    const calls: string[] = [];
    const socket = {
      remoteAddress: "10.0.0.9",
      // Accepts the greeting and the head, and nothing of the chunk.
      write: (bytes: Uint8Array) => (bytes.length > 1_000 ? 0 : bytes.length),
      end: () => 0,
      terminate: () => void calls.push("terminate"),
    };
    const sent: Uint8Array[] = [];
    const connection = new ServerConnection(
      { ...socket, write: (bytes: Uint8Array) => (sent.push(bytes.slice()), socket.write(bytes)) } as never,
      {
        device,
        sealOf: () => createExchangeSeal(key),
        answer: async () => ({
          status: "ok",
          bytes: new Uint8Array(100_000),
          isOwn: true,
          onEnded: () => void calls.push("ended"),
        }),
        buffers: () => true,
        onRefused: () => {},
        onError: () => {},
      },
    );
    const challenge = challengeIn(sent[0]!)!;
    const context = contextOf({ challenge, session, count: 0 }, "request");
    const request = encodeRequest({ kind: "chunk", from: asker, to: device, chunk: 0 });
    connection.onData(Buffer.from(requestMessage(session, createExchangeSeal(key).seal(context, request))));
    await Bun.sleep(0);
    connection.checkTime(performance.now() + 5_000);
    expect(calls).toEqual([]);
    connection.checkTime(performance.now() + 11_000);
    expect(calls).toEqual(["ended", "terminate"]);
  });

  test("connections that prove nothing make room for others", async () => {
    for (let i = 0; i < 300; i++) connections.push(await RawConnection.open(exchange.lanPort));
    await until(() => exchange.connections <= 256);
    expect(await client.chunk(to(), 0, 300_000)).toMatchObject({ kind: "chunk" });
    expect(exchange.connections).toBeLessThanOrEqual(256);
  });

  test("unfinished requests that prove nothing make room for others", async () => {
    // Lacks the last bytes; 32 of these fill what all requests may take.
    const unfinished = new Uint8Array(requestBytesMax);
    new DataView(unfinished.buffer).setUint32(0, requestBytesMax);
    for (let i = 0; i < 40; i++) {
      const connection = await RawConnection.open(exchange.lanPort);
      connections.push(connection);
      connection.send(unfinished);
    }
    await until(() => exchange.connections < 40);
    expect(await client.chunk(to(), 0, 300_000)).toMatchObject({ kind: "chunk" });
  });
});
