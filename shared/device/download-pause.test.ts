/**
 * Tests the rate limit and the schedule of the WAN download on real sockets, with a simulated wall
 * clock.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { WallClock } from "../model/time-zone.ts";
import { parseWanSchedule, wanPauseReason, wanRateAt } from "../model/wan-schedule.ts";
import { testPackage } from "../model/testing.ts";
import type { DownloadOptions } from "./download.ts";
import {
  chunkSizeBytes,
  cleanUp,
  key,
  listen,
  startDownload,
  type Running,
  type Sited,
} from "./testing-download.ts";

afterEach(cleanUp);

type Site = {
  readonly url: string;
  readonly ranges: (string | null)[];
  readonly closed: () => number;
};

async function site(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Site> {
  const ranges: (string | null)[] = [];
  let closed = 0;
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? null);
    answer(request, response);
  });
  server.on("connection", (socket) => socket.on("close", () => closed++));
  return {
    url: `http://127.0.0.1:${await listen(server)}/setup.bin`,
    ranges,
    closed: () => closed,
  };
}

/** Answers the requested range; bytes from `upTo` on stay unsent, and the connection stays open. */
function send(
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  upTo = body.length,
): void {
  const first = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const headers = { "content-length": String(body.length - first) };
  if (request.headers.range === undefined) response.writeHead(200, headers);
  else {
    const range = `bytes ${first}-${body.length - 1}/${body.length}`;
    response.writeHead(206, { ...headers, "content-range": range });
  }
  if (upTo < body.length) response.write(body.subarray(first, upTo));
  else response.end(body.subarray(first));
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < 10_000; waited += 10) await Bun.sleep(10);
  expect(holds()).toBe(true);
}

// A single failure ends the download, which shows that pauses do not count as failures.
const start = (from: Sited, changes: Partial<DownloadOptions>): Running =>
  startDownload(from, { stallMs: 60_000, attempts: 1, ...changes });

const packageAt = (url: string, sizeBytes: number): Sited => ({
  ...testPackage(key, { files: { "setup.bin": sizeBytes }, chunkSizeBytes }),
  site: { url, layout: "file" },
});

const clock: WallClock = (utcMs) => ({ day: "mon", minute: Math.floor(utcMs / 60_000) % 1_440 });

/** A wall clock that the test sets, and the download options that follow the schedule by it. */
function day(schedule: string): { set: (time: string) => void } & Pick<DownloadOptions, "rateBps"> & {
    pauseReason: () => string;
  } {
  const limits = { wanRateBps: null, wanSchedule: parseWanSchedule(schedule) };
  let nowMs = 0;
  return {
    set: (time) => (nowMs = Date.parse(`1970-01-05T${time}Z`)),
    rateBps: () => wanRateAt(limits, clock(nowMs)),
    pauseReason: () => wanPauseReason(limits, nowMs, clock),
  };
}

describe("a pause", () => {
  const sizeBytes = 50 * chunkSizeBytes + 77;

  test("that begins during an answer closes the connection and does not fetch received bytes again", async () => {
    // The first answer stalls in the middle of chunk 20, so only the download can close it.
    const sentBytes = 20 * chunkSizeBytes + 1_000;
    const from = (url: string) => packageAt(url, sizeBytes);
    const body = from("http://h/").stream;
    const web = await site((request, response) =>
      send(request, response, body, web.ranges.length === 1 ? sentBytes : body.length),
    );
    const hours = day("08:00-18:00 pause");
    hours.set("07:59");
    const run = start(from(web.url), hours);
    await until(() => run.bytes() === sentBytes);
    hours.set("08:00");
    await until(() => web.closed() === 1);
    await until(() => run.states.at(-1) === "paused by the setting until 18:00");
    expect(web.ranges).toHaveLength(1);
    hours.set("18:00");
    expect(await run.outcome).toEqual({ kind: "done" });
    expect(web.ranges).toEqual([null, `bytes=${sentBytes}-${sizeBytes - 1}`]);
    expect(run.bytes()).toBe(sizeBytes);
    expect(run.states).toEqual([
      `downloading from ${web.url}`,
      "paused by the setting until 18:00",
      `downloading from ${web.url}`,
    ]);
  });

  test("that begins before the web site answers cancels the request and does not count as a failure", async () => {
    const from = (url: string) => packageAt(url, sizeBytes);
    const body = from("http://h/").stream;
    const web = await site((request, response) => {
      if (web.ranges.length > 1) send(request, response, body);
    });
    const hours = day("08:00-18:00 pause");
    const run = start(from(web.url), hours);
    await until(() => web.ranges.length === 1);
    hours.set("12:00");
    await until(() => web.closed() === 1);
    hours.set("20:00");
    expect(await run.outcome).toEqual({ kind: "done" });
    expect(run.bytes()).toBe(sizeBytes);
  });

  test("from the start sends no request, reports a changed end and stops on abort", async () => {
    const web = await site(() => {});
    const hours = [day("00:00-18:00 pause"), day("00:00-20:00 pause")];
    let setting = 0;
    const abort = new AbortController();
    const run = start(packageAt(web.url, sizeBytes), {
      rateBps: () => hours[setting]!.rateBps(),
      pauseReason: () => hours[setting]!.pauseReason(),
      signal: abort.signal,
    });
    await until(() => run.states.length === 1);
    setting = 1;
    await until(() => run.states.length === 2);
    expect(run.states).toEqual(["paused by the setting until 18:00", "paused by the setting until 20:00"]);
    abort.abort();
    expect(await run.outcome).toEqual({ kind: "aborted" });
    expect(web.ranges).toEqual([]);
  });

  test("ends when the missing chunks arrive from elsewhere", async () => {
    const web = await site(() => {});
    const run = start(packageAt(web.url, sizeBytes), { rateBps: () => 0 });
    await until(() => run.states.length === 1);
    for (let chunk = 0; chunk < run.have.size; chunk++) run.have.add(chunk);
    expect(await run.outcome).toEqual({ kind: "done" });
  });
});

describe("a rate", () => {
  test("is kept by reading more slowly, so that unread bytes stay at the web site", async () => {
    const sizeBytes = 32 * 1_048_576;
    const rateBps = 16_000_000;
    const from = (url: string) => packageAt(url, sizeBytes);
    const body = from("http://h/").stream;
    let sent = 0;
    const web = await site(async (_, response) => {
      response.writeHead(200, { "content-length": String(sizeBytes) });
      while (sent < sizeBytes && !response.destroyed) {
        const piece = body.subarray(sent, (sent += 65_536));
        if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
      }
    });
    const abort = new AbortController();
    const startedAtMs = performance.now();
    const excess: number[] = [];
    let bytes = 0;
    const run = start(from(web.url), {
      rateBps: () => rateBps,
      signal: abort.signal,
      onBytes(count) {
        // The download waits after a read, not before it.
        const allowed = ((performance.now() - startedAtMs + 250) * rateBps) / 8_000;
        if (bytes > allowed) excess.push(bytes - allowed);
        bytes += count;
        if (bytes > 2_000_000) abort.abort();
      },
    });
    expect(await run.outcome).toEqual({ kind: "aborted" });
    expect(excess).toEqual([]);
    expect(bytes).toBeLessThan(4_000_000);
    // Two kernels and the reader buffer a few MB, independently of the file's size.
    expect(sent).toBeLessThan(sizeBytes - 4 * 1_048_576);
  });

  test("takes effect at once after a change, also for bytes received under the old rate", async () => {
    const sizeBytes = 10 * chunkSizeBytes;
    const from = (url: string) => packageAt(url, sizeBytes);
    const body = from("http://h/").stream;
    const web = await site((request, response) => send(request, response, body));
    const hours = day("08:00-18:00 8kbit");
    hours.set("08:00");
    const run = start(from(web.url), hours);
    await until(() => run.bytes() > 0);
    // At the old rate the package would take 164 seconds.
    hours.set("18:00");
    expect(await run.outcome).toEqual({ kind: "done" });
    expect(web.ranges).toHaveLength(1);
  });
});
