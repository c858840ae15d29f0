/** Limits of the source's answers, by routes of a real HTTP server that never stops sending. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as v from "valibot";
import { answerBytesMax, refusalBytesMax } from "./answer-body.ts";
import { followChanges } from "./change-stream.ts";
import { packedManifestBytesMax } from "./packed-manifest.ts";
import { ask, type Connection } from "./request.ts";
import { plainTransport } from "./testing-transport.ts";

const piece = new Uint8Array(65_536).fill(0x20);
let server: ReturnType<typeof Bun.serve>;
let sentBytes = 0;
let ended = Promise.withResolvers<void>();

/** A body of blanks, which are JSON so far, that ends only when the client leaves. */
const endless = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull(controller) {
      sentBytes += piece.length;
      controller.enqueue(piece);
    },
    cancel: () => ended.resolve(),
  });

beforeAll(() => {
  const bomb = gzipSync(new Uint8Array(64 * 1_048_576).fill(0x20));
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/agent/lease") return new Response(endless());
      if (pathname === "/v1/agent/events") return new Response(endless());
      if (pathname === "/v1/agent/fallback")
        return new Response(bomb, { headers: { "content-encoding": "gzip" } });
      if (pathname === "/v1/agent/progress") return new Response(endless(), { status: 400 });
      return Response.json({ text: "x".repeat(1_000_000) });
    },
  });
});
afterAll(() => server.stop(true));

const connection = (): Connection => ({
  transport: plainTransport(server.url.origin),
  authorization: () => null,
});
const request = (path: string) => ask(connection(), "POST", path, v.object({ text: v.string() }));

test("an answer without an end is left at the limit of its route", async () => {
  [sentBytes, ended] = [0, Promise.withResolvers()];
  const limit = answerBytesMax("/v1/agent/lease");
  await expect(request("/v1/agent/lease")).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining(`longer than ${limit} bytes`),
  });
  await ended.promise;
  // Buffers of both sides hold what was sent beyond the limit.
  expect(sentBytes).toBeLessThan(limit + 32 * 1_048_576);
});

test("a compressed answer is measured by what it expands to", async () => {
  await expect(request("/v1/agent/fallback")).rejects.toMatchObject({ kind: "invalid" });
});

test("a refusal without an end is a refusal without a reason", async () => {
  await expect(request("/v1/agent/progress")).rejects.toMatchObject({
    kind: "refused",
    status: 400,
    message: expect.stringContaining("no reason"),
  });
});

test("an answer of a route with longer answers is read", async () => {
  expect((await request("/v1/agent/check-in")).text).toHaveLength(1_000_000);
  expect((await request("/v1/devices?filter=a")).text).toHaveLength(1_000_000);
});

test("every route has a limit, and a packed manifest fits into its own", () => {
  expect(answerBytesMax("/v1/agent/manifest")).toBeGreaterThan((packedManifestBytesMax * 4) / 3);
  for (const path of ["/healthz", "/v1/identity?nonce=1", "/v1/agent/enroll", "/v1/agent/neighbour"])
    expect(answerBytesMax(path)).toBeLessThanOrEqual(262_144);
  expect(answerBytesMax("/v1/tasks/1?devices=all")).toBeGreaterThan(refusalBytesMax);
});

test("an event stream with a line without an end is lost, and not kept in memory", async () => {
  [sentBytes, ended] = [0, Promise.withResolvers()];
  const stop = new AbortController();
  const lost = Promise.withResolvers<unknown>();
  const following = followChanges(connection(), stop.signal, {
    onWake: () => {},
    onLost: (error) => lost.resolve(error),
  });
  expect(await lost.promise).toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("a line that is too long"),
  });
  await ended.promise;
  stop.abort();
  await following;
});
