/**
 * Fuzz target of web sites' answers: heads for the parser of range responses, and whole downloads
 * from a server that answers anything.
 */
import { createHash } from "node:crypto";
import { readRangeAnswer } from "../../shared/net/web/range-answer.ts";
import { WebProblem } from "../../shared/net/web/problem.ts";
import { runDownload } from "../../shared/device/download.ts";
import { openRangeStream } from "../../shared/net/web/range-stream.ts";
import { systemClock } from "../../shared/platform/system-clock.ts";
import { chunkLength, chunkOffset, type Manifest } from "../../shared/model/manifest.ts";
import { manifestOf, seededBytes } from "../../shared/model/testing.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutated } from "./mutate.ts";
import { openRawServer, rawAnswer } from "./raw-http.ts";
import { declared, promise, type Fuzzing, type Target } from "./target.ts";

const chunkSizeBytes = 1_024;
const stream = seededBytes(2_500, 7);
const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

const makeManifest = (): Manifest =>
  manifestOf(stream, {
    files: [{ path: "a.bin", sizeBytes: stream.length, mode: 0o644 }],
    chunkSizeBytes,
  });

const values = {
  "content-range": [
    "bytes 0-9/100",
    "bytes 5-1/100",
    "bytes 10-99/100",
    "bytes 10-1e3/*",
    "bytes */100",
    "BYTES 0-9/100",
  ],
  "content-length": ["100", "0", "-1", "1e2", "", "100, 100", "99999999999999999999", "NaN"],
  "content-encoding": ["identity", "gzip", "", "identity, gzip"],
  etag: ['"a"', 'W/"a"', "", '"b"', "x".repeat(9_000)],
  "last-modified": ["Wed, 21 Oct 2026 07:28:00 GMT", "never", ""],
  "retry-after": ["5", "-5", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "Mon, 99"],
} as const;
const statuses = [200, 206, 301, 304, 401, 404, 416, 429, 500, 503, 999] as const;

function head(random: SeededRandom): string {
  const headers = new Headers();
  for (const [name, choices] of Object.entries(values))
    if (!random.oneIn(3)) headers.set(name, random.pick(choices));
  const start = random.int(100);
  const validator = random.oneIn(2) ? null : { etag: random.pick(values.etag), lastModified: null };
  const asked = {
    url: random.pick(["http://web.example/a?secret", "http://[::1]/", "x"]),
    start,
    end: start + 1 + random.int(100),
    sizeBytes: 100,
    rangeSent: random.oneIn(2),
    validator,
    ifRangeSent: validator !== null,
  };
  return declared([WebProblem], () => {
    const answer = readRangeAnswer({ status: random.pick(statuses), headers }, asked, 0);
    promise(answer.position <= asked.start, "bytes begin at the requested position or before it");
    promise(answer.end <= Math.max(asked.end, asked.sizeBytes), "bytes end at the requested position");
    return answer.ignoresRange ? "head: everything" : "head: taken";
  });
}

/** Runs a download, which has to end on its own, with a reason, and must store no wrong byte. */
async function download(manifest: Manifest, port: number, random: SeededRandom): Promise<string> {
  const missing = new Set([0, 1, 2]);
  const outcome = await runDownload({
    web: { open: openRangeStream },
    clock: systemClock,
    manifest,
    sites: () => [{ url: `http://127.0.0.1:${port}/a.bin`, layout: "file" }],
    nextRun: () => {
      const [first] = missing;
      return first === undefined ? null : { first, count: 3 - first };
    },
    onChunk: async (chunk, bytes) => {
      promise(bytes.length === chunkLength(manifest, chunk), "a chunk has its length");
      const offset = chunkOffset(manifest, chunk);
      if (!digestOf(bytes).equals(digestOf(stream.subarray(offset, offset + bytes.length))))
        return "wrong-digest";
      missing.delete(chunk);
      return "stored";
    },
    onBytes: () => {},
    onState: () => {},
    isWanted: (chunk) => missing.has(chunk),
    rateBps: () => null,
    stallMs: 200,
    attempts: 2,
    signal: AbortSignal.timeout(10_000),
    random: () => random.int(1_000) / 1_000,
    backoffBaseMs: 1,
  });
  promise(outcome.kind !== "aborted", "a download ends before the time-out");
  promise(outcome.kind !== "failed" || !outcome.reason.startsWith("broken promise"), JSON.stringify(outcome));
  promise(outcome.kind !== "done" || missing.size === 0, "a finished download has every chunk");
  return `download: ${outcome.kind}`;
}

function openWeb(): Fuzzing {
  let random: SeededRandom | null = null;
  const server = openRawServer(() => {
    const body = random!.oneIn(2) ? mutated(random!, stream) : stream;
    return rawAnswer(random!, body, { range: random!.oneIn(3) });
  });
  const manifest = makeManifest();
  return {
    run: (own) => {
      random = own;
      return own.oneIn(1_500) ? download(manifest, server.port, own) : head(own);
    },
    close: () => server.close(),
  };
}

export const web: Target = {
  name: "web",
  about: "answers of web sites: heads, and downloads from a server that answers anything",
  share: 350,
  open: openWeb,
};
