import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ChunkSet } from "../../model/chunk-set.ts";
import { createExchangeClient } from "./client.ts";
import type { PeerConnection } from "./peers.ts";
import { createExchangeSeal } from "./seal.ts";
import { ExchangeServer } from "./server.ts";

const device = "00000000000000aa";
const asker = "00000000000000bb";
const session = "0123456789abcdef";
const key = randomBytes(16);
const chunks = [randomBytes(300_000), randomBytes(300_000), randomBytes(1_000)];

const manifest = new Uint8Array(1_000_000).fill(7);
let exchange: ExchangeServer;
let client: PeerConnection;
let verified: ChunkSet;
const to = () => ({ address: "127.0.0.1", lanPort: exchange.lanPort });

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
  client = createExchangeClient(session, key);
});
afterEach(async () => {
  client.close();
  await exchange.close();
});

describe("the LAN exchange", () => {
  test("serves the manifest to devices that have the package's key", async () => {
    expect(await client.manifest(to())).toEqual(Buffer.from(manifest));
    const stranger = createExchangeClient(session, Buffer.alloc(16, 9));
    expect(await stranger.manifest(to())).toBeNull();
    stranger.close();
    expect(await client.manifest({ address: "127.0.0.1", lanPort: 1 })).toBe("unreachable");
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
    const stranger = createExchangeClient(session, randomBytes(16));
    expect(await stranger.chunk(to(), 0, 300_000)).toEqual({ kind: "failed", reason: "answered 403" });
    expect(
      await stranger.poll(to(), { device: asker, lanPort: 4_000, heldRanges: [], listens: false }),
    ).toBeNull();
    stranger.close();
  });

  test("rejects an answer that is sealed with another key or too long", async () => {
    const liar = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(randomBytes(1_028)) });
    expect(await client.chunk({ address: "127.0.0.1", lanPort: liar.port! }, 2, 1_000)).toEqual({
      kind: "wrong",
    });
    expect(await client.chunk({ address: "127.0.0.1", lanPort: liar.port! }, 2, 10)).toEqual({
      kind: "failed",
      reason: "the answer is too long",
    });
    expect(
      await client.poll(
        { address: "127.0.0.1", lanPort: liar.port! },
        { device: asker, lanPort: 1, heldRanges: [], listens: false },
      ),
    ).toBeNull();
    await liar.stop(true);
  });

  test("reports an unreachable device as a failure, without throwing", async () => {
    const port = exchange.lanPort;
    await exchange.close();
    expect(await client.chunk({ address: "127.0.0.1", lanPort: port }, 0, 300_000)).toMatchObject({
      kind: "failed",
    });
  });

  test("sends no request to an address outside its network", async () => {
    let requests = 0;
    const victim = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        requests++;
        return new Response(randomBytes(100));
      },
    });
    const near = new ExchangeServer({
      interfaceAddress: "127.0.0.1",
      device,
      isNeighbour: () => false,
      onError: () => {},
    });
    const connection = near.connect(session, key);
    const at = { address: "127.0.0.1", lanPort: victim.port! };
    const poll = { device: asker, lanPort: 1, heldRanges: [], listens: false };
    expect(await connection.chunk(at, 0, 10)).toEqual({
      kind: "failed",
      reason: "127.0.0.1 is not an address of this network",
    });
    expect([await connection.poll(at, poll), await connection.manifest(at)]).toEqual([null, "unreachable"]);
    expect(requests).toBe(0);
    connection.close();
    await Promise.all([near.close(), victim.stop(true)]);
  });

  test("refuses malformed requests and counts them", async () => {
    const base = `http://127.0.0.1:${exchange.lanPort}`;
    const statuses = await Promise.all([
      fetch(`${base}/`),
      fetch(`${base}/exchange/${session}/chunk/99999999999`),
      fetch(`${base}/exchange/${session}/chunk/0`),
      fetch(`${base}/exchange/${session}/poll`, { method: "POST", body: randomBytes(500) }),
      fetch(`${base}/exchange/ffffffffffffffff/chunk/0`),
      fetch(`${base}/exchange/${session}/poll`),
    ]).then((responses) => responses.map((response) => response.status));
    expect(statuses).toEqual([404, 404, 403, 403, 404, 405]);
    expect(exchange.counters.refused).toBe(6);
  });

  test("answers a request without a Host header", async () => {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: exchange.lanPort,
      socket: {
        data: (_, data) => answered.resolve(data.toString()),
        error: (_, error) => answered.reject(error),
      },
    });
    const answered = Promise.withResolvers<string>();
    socket.write(`GET /exchange/${session}/chunk/0 HTTP/1.0\r\n\r\n`);
    expect(await answered.promise).toStartWith("HTTP/1.1 403");
    socket.end();
  });
});

describe("the LAN exchange with requesters that do not read", () => {
  const chunkSizeBytes = 4_194_304;
  /** More than the kernel's buffers of a connection take without a reader. */
  const answerBytes = 6 * chunkSizeBytes;
  const sockets: Bun.Socket[] = [];
  afterEach(() => sockets.splice(0).forEach((socket) => socket.terminate()));

  /** Requests a chunk, and reads nothing of the answer. */
  async function requestWithoutReading(path: string): Promise<void> {
    const proof = createExchangeSeal(key).proof(path);
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: exchange.lanPort,
      socket: {
        open(opened) {
          opened.pause();
          opened.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nx-flockcast-proof: ${proof}\r\n\r\n`);
        },
        data() {},
      },
    });
    sockets.push(socket);
  }

  test("keeps a bounded number of chunks in memory, refuses the others as busy, and recovers", async () => {
    let reads = 0;
    exchange.offer(session, {
      key,
      chunkSizeBytes,
      held: () => verified,
      manifest: async () => null,
      readChunk: async () => {
        reads++;
        return new Uint8Array(answerBytes);
      },
    });
    for (let i = 0; i < 60; i++) await requestWithoutReading(`/exchange/${session}/chunk/0`);
    for (let waited = 0; exchange.counters.refused < 52 && waited < 5_000; waited += 10) await Bun.sleep(10);
    expect([reads, exchange.counters.refused, exchange.load]).toEqual([8, 52, 100]);
    expect(await client.chunk(to(), 0, answerBytes)).toEqual({ kind: "busy" });
    for (const socket of sockets.splice(0)) socket.terminate();
    for (let waited = 0; exchange.load > 0 && waited < 5_000; waited += 10) await Bun.sleep(10);
    expect(exchange.load).toBe(0);
    expect(await client.chunk(to(), 0, answerBytes)).toMatchObject({ kind: "chunk" });
  });
});
