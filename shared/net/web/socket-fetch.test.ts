/** HTTP over connections of the caller, with real TLS servers. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { makeCertificate } from "../../api/testing-certificates.ts";
import { SocketFetch } from "./socket-fetch.ts";
import { connectPeer } from "./tls-peer.ts";

let folder: string;
let tls: { cert: string; key: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-sockets-"));
  const { certFile, keyFile } = await makeCertificate(folder, { name: "one" });
  tls = { cert: await readFile(certFile, "utf8"), key: await readFile(keyFile, "utf8") };
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Handler = (request: Request) => Response | Promise<Response>;

/** Serves with TLS; `connections` counts those that the client opened. */
function open(handler: Handler) {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: handler });
  let connections = 0;
  const sockets = new SocketFetch(async (url) => {
    connections++;
    return (await connectPeer(url)).socket;
  });
  cleanups.push(
    () => server.stop(true),
    () => sockets.close(),
  );
  return {
    url: `https://127.0.0.1:${server.port}/`,
    fetch: sockets.fetch,
    dropIdle: () => sockets.dropIdle(),
    connections: () => connections,
  };
}

test("requests share a connection, also when each is aborted after its end", async () => {
  const site = open((request) => new Response(request.headers.get("x-number")));
  for (let number = 0; number < 5; number++) {
    const abort = new AbortController();
    const headers = { "x-number": String(number) };
    const response = await site.fetch(site.url, { headers, signal: abort.signal, decompress: false });
    expect(await response.text()).toBe(String(number));
    abort.abort();
    await Bun.sleep(20);
  }
  expect(site.connections()).toBe(1);
  site.dropIdle();
  await site.fetch(site.url, {});
  expect(site.connections()).toBe(2);
});

test("sends texts, bytes, files and streams, and reads empty and compressed answers", async () => {
  const site = open(async (request) => {
    const text = await request.text();
    if (text === "") return new Response(null, { status: 204 });
    const body = Bun.gzipSync(`${request.method} ${text.length}`);
    return new Response(body, { status: 201, headers: { "content-encoding": "gzip" } });
  });
  const bytes = new Uint8Array(1_000_000).fill(97);
  for (const body of ["a".repeat(1_000_000), bytes, new Blob([bytes]), new Blob([bytes]).stream()]) {
    const response = await site.fetch(site.url, { method: "PUT", body });
    expect([response.status, await response.text()]).toEqual([201, "PUT 1000000"]);
  }
  const empty = await site.fetch(site.url, { method: "POST" });
  expect([empty.status, empty.body]).toEqual([204, null]);
});

test("asks again on a new connection when the server has closed the kept one", async () => {
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
  const server = createServer(tls, (socket) => {
    socket.on("error", () => {});
    // Closes the connection at the second request, as a server whose idle time is over does.
    socket.once("data", () => socket.write(answer, () => socket.once("data", () => socket.destroy())));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  cleanups.push(() => server.close());
  let connections = 0;
  const sockets = new SocketFetch(async (url) => {
    connections++;
    return (await connectPeer(url)).socket;
  });
  cleanups.push(() => sockets.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (let count = 1; count <= 3; count++) {
    const response = await sockets.fetch(url, { method: "POST", body: "x", decompress: false });
    expect([await response.text(), connections]).toEqual(["ok", count]);
  }
});

test("fails with the signal's reason before, during and after the head of the answer", async () => {
  const site = open((request) => {
    if (request.url.endsWith("/silent")) return new Promise<Response>(() => {});
    return new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(10)) }));
  });
  const reason = new Error("given up");
  await expect(site.fetch(site.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const waiting = new AbortController();
  const pending = site.fetch(`${site.url}silent`, { signal: waiting.signal });
  setTimeout(() => waiting.abort(reason), 100);
  await expect(pending).rejects.toBe(reason);
  const reading = new AbortController();
  const reader = (await site.fetch(site.url, { signal: reading.signal })).body!.getReader();
  expect((await reader.read()).value).toHaveLength(10);
  const next = reader.read();
  reading.abort(reason);
  await expect(next).rejects.toBe(reason);
});

test("reads no more of an answer than its reader takes", async () => {
  let sent = 0;
  const piece = new Uint8Array(1_048_576);
  const body = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += piece.length;
        controller.enqueue(piece);
      },
    });
  const site = open(() => new Response(body()));
  const reader = (await site.fetch(site.url, {})).body!.getReader();
  await reader.read();
  await Bun.sleep(1_000);
  // The buffers of the kernel and of both programs hold some megabytes.
  expect(sent).toBeLessThan(64 * 1_048_576);
  await reader.cancel();
});
