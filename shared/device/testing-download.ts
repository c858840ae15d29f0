/**
 * Downloads from web sites of a test: a package of 100 chunks and a short one, sites that give the
 * answers of the test, and a download that records what it stored.
 */
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ChunkSet } from "../model/chunk-set.ts";
import { seededBytes, testKey, testPackage, type TestPackage } from "../model/testing.ts";
import type { ContentSite } from "../net/web/locate.ts";
import { openRangeStream } from "../net/web/range-stream.ts";
import { systemClock } from "../platform/system-clock.ts";
import { runDownload, type DownloadOptions, type DownloadOutcome } from "./download.ts";

export const key = testKey();
export const cleanups: (() => void | Promise<void>)[] = [];
/** Ends what the test has opened: each test file calls it after each test. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}

// The package has 100 chunks of 16 KiB and a short one.
export const chunkSizeBytes = 16_384;
export const sizeBytes = 100 * chunkSizeBytes + 777;
/** A package and a web site that has it. */
export type Sited = TestPackage & { readonly site: ContentSite };
const single = testPackage(key, { files: { "setup.bin": sizeBytes }, chunkSizeBytes });
export const atUrl = (url: string, changes: Partial<ContentSite> = {}): Sited => ({
  ...single,
  site: { url, layout: "file", ...changes },
});
export const body = new Uint8Array(seededBytes(sizeBytes, 1));

/** A download under way, with its records. */
export type Running = {
  readonly have: ChunkSet;
  readonly states: string[];
  readonly stored: number[];
  readonly bytes: () => number;
  readonly outcome: Promise<DownloadOutcome>;
};
export type Run = Omit<Running, "bytes" | "outcome"> & {
  readonly bytes: number;
  readonly outcome: DownloadOutcome;
};
type Changes = Partial<DownloadOptions> & { readonly have?: ChunkSet; readonly runMax?: number };

export function startDownload(from: Sited, changes: Changes = {}): Running {
  const have = changes.have ?? new ChunkSet(from.manifest.chunkDigests.length / 32);
  const states: string[] = [];
  const stored: number[] = [];
  let bytes = 0;
  const outcome = runDownload({
    web: { open: openRangeStream },
    clock: systemClock,
    manifest: from.manifest,
    sites: () => [from.site],
    nextRun() {
      const first = have.nextMissing(0);
      if (first < 0) return null;
      const next = have.next(first);
      return { first, count: Math.min(changes.runMax ?? Infinity, (next < 0 ? have.size : next) - first) };
    },
    async onChunk(chunk, content) {
      if (!Buffer.from(from.chunk(chunk)).equals(content)) return "wrong-digest";
      if (!have.add(chunk)) return "known";
      stored.push(chunk);
      return "stored";
    },
    onBytes: (count) => (bytes += count),
    onState: (reason) => states.push(reason),
    rateBps: () => null,
    stallMs: 5_000,
    attempts: 4,
    signal: new AbortController().signal,
    random: () => 0.5,
    backoffBaseMs: 10,
    ...changes,
  });
  return { have, states, stored, bytes: () => bytes, outcome };
}

export async function download(from: Sited, changes: Changes = {}): Promise<Run> {
  const running = startDownload(from, changes);
  const outcome = await running.outcome;
  return { ...running, bytes: running.bytes(), outcome };
}

export const reasonOf = (run: Run): string =>
  run.outcome.kind === "failed" ? run.outcome.reason : run.outcome.kind;

export type Asked = {
  readonly path: string;
  readonly range: string | null;
  readonly headers: IncomingMessage["headers"];
};

/** Starts a web site that answers with `answer` and records the requests. */
export async function site(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createHttpServer((request, response) => {
    asked.push({ path: request.url ?? "", range: request.headers.range ?? null, headers: request.headers });
    answer(request, response, asked.length);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, asked };
}

export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Answers a request correctly, with or without a range. */
export function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  content: Uint8Array = body,
  headers: Record<string, string> = {},
): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (!range) {
    response.writeHead(200, { "content-length": String(content.length), ...headers });
    response.end(content);
    return;
  }
  const [first, last] = [Number(range[1]), Number(range[2])];
  response.writeHead(206, {
    "content-range": `bytes ${first}-${last}/${content.length}`,
    "content-length": String(last + 1 - first),
    ...headers,
  });
  response.end(content.subarray(first, last + 1));
}

export function environment(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    cleanups.push(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

/** Makes a self-signed certificate for localhost. */
export async function makeCertificate(folder: string): Promise<{ cert: string; secret: string }> {
  const [cert, secret] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
  const made = Bun.spawn(["openssl", ...words.split(" "), "-keyout", secret, "-out", cert], {
    stderr: "pipe",
  });
  if ((await made.exited) !== 0) throw new Error(`openssl: ${await made.stderr.text()}`);
  return { cert, secret };
}
