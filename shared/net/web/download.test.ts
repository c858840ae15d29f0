import { afterEach, describe, expect, test } from "bun:test";
import { createServer, connect, type Server, type Socket } from "node:net";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ChunkSet } from "../../model/chunk-set.ts";
import { seededBytes, temporaryFolder, testKey, testPackage, type TestPackage } from "../../model/testing.ts";
import { runDownload, type DownloadOptions, type DownloadOutcome } from "./download.ts";

const key = testKey();
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

// 100 chunks of 16 KiB and a short one.
const chunkSizeBytes = 16_384;
const sizeBytes = 100 * chunkSizeBytes + 777;
const atUrl = (url: string): TestPackage =>
  testPackage(key, {
    files: { "setup.bin": sizeBytes },
    chunkSizeBytes,
    origin: { kind: "url", url, layout: "file" },
  });
const body = new Uint8Array(seededBytes(sizeBytes, 1));

type Run = {
  readonly outcome: DownloadOutcome;
  readonly have: ChunkSet;
  readonly states: string[];
  readonly bytes: number;
  readonly stored: number[];
};

async function download(
  from: TestPackage,
  changes: Partial<DownloadOptions> & { have?: ChunkSet; runMax?: number } = {},
): Promise<Run> {
  const have = changes.have ?? new ChunkSet(from.manifest.chunkDigests.length / 32);
  const states: string[] = [];
  const stored: number[] = [];
  let bytes = 0;
  const outcome = await runDownload({
    manifest: from.manifest,
    contentUrl: null,
    headers: {},
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
  return { outcome, have, states, bytes, stored };
}

const reasonOf = (run: Run): string =>
  run.outcome.kind === "failed" ? run.outcome.reason : run.outcome.kind;

type Asked = {
  readonly path: string;
  readonly range: string | null;
  readonly headers: IncomingMessage["headers"];
};

/** A web site that does what each test says. */
async function site(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createHttpServer((request, response) => {
    asked.push({ path: request.url ?? "", range: request.headers.range ?? null, headers: request.headers });
    answer(request, response, asked.length);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, asked };
}

async function listen(server: Server): Promise<number> {
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

/** Answers a range as it should be. */
function sendRange(
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

describe("a whole download", () => {
  test("is one request, and costs the package once", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const run = await download(atUrl(`${url}/setup.bin`));
    expect(run.outcome).toEqual({ kind: "done" });
    expect(run.stored).toEqual([...Array(101).keys()]);
    expect(run.bytes).toBe(sizeBytes);
    expect(asked.length).toBe(1);
    expect(asked[0]!.headers["accept-encoding"]).toBe("identity");
    expect(run.states).toEqual([`downloading from ${url}/setup.bin`]);
  });

  test("of an empty package or with nothing missing asks no one", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    expect((await download(testPackage(key, { files: {} }))).outcome.kind).toBe("done");
    expect((await download(atUrl(url), { have: ChunkSet.full(101) })).outcome.kind).toBe("done");
    expect(asked).toEqual([]);
  });

  test("fetches only the runs that are missing", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const have = ChunkSet.full(101);
    for (const chunk of [3, 4, 60, 61, 62, 100]) have.delete(chunk);
    const run = await download(atUrl(url), { have });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(5 * chunkSizeBytes + 777);
    expect(asked.map((each) => each.range)).toEqual([
      "bytes=49152-81919",
      "bytes=983040-1032191",
      `bytes=1638400-${sizeBytes - 1}`,
    ]);
  });

  test("of a folder asks for each file that has missing bytes, at encoded paths", async () => {
    const files = { "a b/ü#1.bin": 20_000, "data/x?": 0, "data/y": 40_000, "z%": 10 };
    delete (files as Record<string, number>)["data/x?"];
    const from = (url: string): TestPackage =>
      testPackage(key, { files, chunkSizeBytes, origin: { kind: "url", url, layout: "folder" } });
    const stream = from("http://h/").stream;
    const parts: Record<string, Uint8Array> = {
      "/pkg/a%20b/%C3%BC%231.bin?key=s": stream.subarray(0, 20_000),
      "/pkg/data/y?key=s": stream.subarray(20_000, 60_000),
      "/pkg/z%25?key=s": stream.subarray(60_000),
    };
    const { url, asked } = await site((request, response) => {
      const part = parts[request.url!];
      if (part) sendRange(request, response, part);
      else response.writeHead(404).end();
    });
    const run = await download(from(`${url}/pkg/?key=s`));
    expect(run.outcome.kind).toBe("done");
    expect(asked.map((each) => each.path)).toEqual(Object.keys(parts));
    expect(run.bytes).toBe(60_010);
    expect(run.states.join()).not.toContain("key=s");
    const have = ChunkSet.full(4);
    have.delete(1);
    expect((await download(from(`${url}/pkg?key=s`), { have })).bytes).toBe(chunkSizeBytes);
  });

  test("from the source carries its headers, and says when the source gave no address", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const from = testPackage(key, { files: { "setup.bin": sizeBytes }, chunkSizeBytes });
    const headers = { authorization: "Bearer secret" };
    expect((await download(from, { contentUrl: `${url}/content`, headers })).outcome.kind).toBe("done");
    expect(asked[0]!.headers.authorization).toBe("Bearer secret");
    expect(reasonOf(await download(from))).toContain("gave no address");
    await download(atUrl(`${url}/web`), { headers });
    expect(asked.at(-1)!.headers.authorization).toBeUndefined();
  });
});

describe("redirects", () => {
  test("are followed, and the credential stays with its origin", async () => {
    const cdn = await site((request, response) => sendRange(request, response));
    const home = await site((request, response) => {
      const to = request.url === "/content" ? "/moved" : `${cdn.url}/bytes`;
      response.writeHead(302, { location: to }).end("moved");
    });
    const from = testPackage(key, { files: { "setup.bin": sizeBytes }, chunkSizeBytes });
    const headers = { authorization: "Bearer secret" };
    const have = ChunkSet.fromRanges(101, [0, 50])!;
    const run = await download(from, { contentUrl: `${home.url}/content`, headers, have });
    expect(run.outcome.kind).toBe("done");
    expect(home.asked.map((each) => each.headers.authorization)).toEqual(["Bearer secret", "Bearer secret"]);
    expect(cdn.asked[0]!.headers.authorization).toBeUndefined();
    expect(cdn.asked[0]!.range).toBe(`bytes=819200-${sizeBytes - 1}`);
  });

  test("that go round in circles or elsewhere than the web fail with a reason", async () => {
    const { url } = await site((request, response) => {
      response.writeHead(302, { location: request.url === "/file" ? "file:///etc/passwd" : "/again" }).end();
    });
    expect(reasonOf(await download(atUrl(`${url}/x`)))).toContain("redirects more than 10 times");
    expect(reasonOf(await download(atUrl(`${url}/file`)))).toContain("no web address");
  });
});

describe("interruptions", () => {
  test("by a reset connection go on at the byte where they happened", async () => {
    const { url, asked } = await site((request, response, count) => {
      if (count > 3) return sendRange(request, response);
      const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(request.headers.range ? 206 : 200, {
        "content-length": String(sizeBytes - start),
        ...(request.headers.range && { "content-range": `bytes ${start}-${sizeBytes - 1}/${sizeBytes}` }),
      });
      response.write(body.subarray(start, start + 200_000), () =>
        setTimeout(() => response.socket!.destroy(), 50),
      );
    });
    const run = await download(atUrl(url), { attempts: 2 });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(sizeBytes);
    expect(run.stored.length).toBe(101);
    expect(asked.map((each) => each.range)).toEqual([
      null,
      ...[200_000, 400_000, 600_000].map((start) => `bytes=${start}-${sizeBytes - 1}`),
    ]);
    expect(run.states.some((state) => /waiting .*closed early/.test(state))).toBe(true);
  });

  test("by a stall are noticed, the connection is given up and the rest asked for", async () => {
    const { url, asked } = await site((request, response, count) => {
      if (count > 1) return sendRange(request, response);
      response.writeHead(200, { "content-length": String(sizeBytes) });
      response.write(body.subarray(0, 500_000));
    });
    const run = await download(atUrl(url), { stallMs: 300 });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(sizeBytes);
    expect(asked[1]!.range).toBe(`bytes=500000-${sizeBytes - 1}`);
    expect(run.states.join()).toContain("sent nothing for 300 ms");
  });

  test("before the headers, for ever, end in a reason after so many attempts", async () => {
    const { url, asked } = await site(() => {});
    const run = await download(atUrl(`${url}/x.bin`), { stallMs: 100, attempts: 3 });
    expect(reasonOf(run)).toContain(`gave up after 3 attempts without progress: ${url}/x.bin sent nothing`);
    expect(asked.length).toBe(3);
  });

  test("by closing, refusing or an unknown name are told apart", async () => {
    const closing = await site((_request, response) => response.socket!.destroy());
    expect(reasonOf(await download(atUrl(closing.url), { attempts: 2 }))).toContain("closed early");
    expect(reasonOf(await download(atUrl("http://127.0.0.1:1/x"), { attempts: 2 }))).toContain(
      "refuses connections",
    );
    expect(reasonOf(await download(atUrl("http://no.such.invalid/x"), { attempts: 1 }))).toContain(
      "cannot be resolved",
    );
  });

  test("count anew after progress: more cuts than attempts do not matter", async () => {
    const { url } = await site((request, response) => {
      const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(request.headers.range ? 206 : 200, {
        "content-length": String(sizeBytes - start),
        ...(request.headers.range && { "content-range": `bytes ${start}-${sizeBytes - 1}/${sizeBytes}` }),
      });
      const end = Math.min(sizeBytes, start + 150_000);
      response.write(body.subarray(start, end), () => {
        if (end === sizeBytes) response.end();
        else setTimeout(() => response.socket!.destroy(), 20);
      });
    });
    const run = await download(atUrl(url), { attempts: 2, backoffBaseMs: 1 });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(sizeBytes);
  });

  test("by whoever started it end at once, also while waiting", async () => {
    const { url } = await site((_request, response) =>
      response.writeHead(503, { "retry-after": "3000" }).end(),
    );
    const abort = new AbortController();
    const run = download(atUrl(url), { signal: abort.signal, onState: () => abort.abort() });
    expect((await run).outcome).toEqual({ kind: "aborted" });
    const silent = await site(() => setTimeout(() => later.abort(), 50));
    const later = new AbortController();
    expect((await download(atUrl(silent.url), { signal: later.signal })).outcome).toEqual({
      kind: "aborted",
    });
  });
});

const ignoring = (request: IncomingMessage, response: ServerResponse): void => {
  delete request.headers.range;
  sendRange(request, response);
};

describe("a web site without Range", () => {
  test("is read from its beginning, and what is known is thrown away", async () => {
    const { url, asked } = await site(ignoring);
    const run = await download(atUrl(url), { have: ChunkSet.fromRanges(101, [0, 40])! });
    expect(run.outcome.kind).toBe("done");
    expect(run.stored[0]).toBe(40);
    expect(run.bytes).toBe(sizeBytes);
    expect(asked.length).toBe(1);
    expect(run.states.join()).toContain("knows no ranges");
  });

  test("is remembered: several missing runs cost one answer", async () => {
    const { url, asked } = await site(ignoring);
    const have = ChunkSet.fromRanges(101, [0, 10, 20, 10, 40, 50])!;
    const run = await download(atUrl(url), { have });
    expect(run.outcome.kind).toBe("done");
    expect(asked.length).toBe(1);
    expect(run.bytes).toBe(sizeBytes);
  });
});

describe("answers that cannot be used", () => {
  test.each([
    [401, "credentials"],
    [403, "forbids"],
    [404, "no such file"],
    [410, "removed"],
    [407, "HTTP_PROXY"],
    [416, "has no byte"],
    [451, "answered 451"],
    [304, "answered 304"],
  ])("with status %d end with a reason that names URL and remedy, at once", async (status, words) => {
    const { url, asked } = await site((_request, response) => response.writeHead(status).end("sorry"));
    const run = await download(atUrl(`${url}/app/setup.bin?token=secret`));
    expect(reasonOf(run)).toContain(words);
    expect(reasonOf(run)).toContain(`${url}/app/setup.bin`);
    expect(reasonOf(run)).not.toContain("secret");
    expect(asked.length).toBe(1);
  });

  test("503 waits as long as the site asks, in seconds or until a date", async () => {
    for (const header of ["1", new Date(Date.now() + 1_500).toUTCString()]) {
      const { url, asked } = await site((request, response, count) => {
        if (count > 1) return sendRange(request, response);
        response.writeHead(503, { "retry-after": header }).end();
      });
      const run = await download(atUrl(url));
      expect(run.outcome.kind).toBe("done");
      expect(run.states[0]).toMatch(/^waiting .* s|ms: web site answered 503 \(Retry-After\) for/);
      expect(asked.length).toBe(2);
    }
  });

  test("429 and 500 without Retry-After back off, and end after so many attempts", async () => {
    const { url, asked } = await site((_request, response, count) =>
      response.writeHead(count % 2 ? 429 : 500).end(),
    );
    expect(reasonOf(await download(atUrl(url)))).toContain(
      "gave up after 4 attempts without progress: web site answered 500",
    );
    expect(asked.length).toBe(4);
  });

  test("of a wrong length say both lengths, with and without a range", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response, body.subarray(1)));
    for (const have of [new ChunkSet(101), ChunkSet.fromRanges(101, [0, 5])!]) {
      const reason = reasonOf(await download(atUrl(url), { have }));
      expect(reason).toContain(`has ${sizeBytes - 1} bytes, the manifest says ${sizeBytes}`);
      expect(reason).toContain("publish it again");
    }
    expect(asked.length).toBe(2);
  });

  test("with another range than asked, or compressed, are refused", async () => {
    const shifted = await site((_request, response) => {
      response
        .writeHead(206, { "content-range": `bytes 0-99/${sizeBytes}`, "content-length": "100" })
        .end(body.subarray(0, 100));
    });
    const have = ChunkSet.fromRanges(101, [0, 5])!;
    expect(reasonOf(await download(atUrl(shifted.url), { have }))).toContain("bytes 0-99 where");
    const zipped = await site((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(Bun.gzipSync(body.slice())),
    );
    expect(reasonOf(await download(atUrl(zipped.url)))).toContain('"Content-Encoding: gzip"');
  });

  test("with wrong bytes are asked for once more, past caches, and then end with chunk and URL", async () => {
    const bad = body.slice();
    bad[5 * chunkSizeBytes]! ^= 1;
    const once = await site((request, response, count) =>
      sendRange(request, response, count === 1 ? bad : body),
    );
    const mended = await download(atUrl(once.url));
    expect(mended.outcome.kind).toBe("done");
    expect(once.asked[1]!.headers["cache-control"]).toBe("no-cache");
    expect(mended.bytes).toBeLessThan(2 * sizeBytes);
    const always = await site((request, response) => sendRange(request, response, bad));
    const reason = reasonOf(await download(atUrl(`${always.url}/setup.bin`)));
    expect(reason).toContain(`chunk 5 from ${always.url}/setup.bin does not match the manifest, twice`);
    expect(always.asked.length).toBe(2);
  });
});

describe("a file that changes midway", () => {
  /** The first answer breaks off; from then on there is another version. */
  const changing = (after: Uint8Array, before: Record<string, string>, now: Record<string, string>) =>
    site((request, response, count) => {
      if (count === 1) {
        response.writeHead(200, { "content-length": String(sizeBytes), ...before });
        response.write(body.subarray(0, 500_000), () => setTimeout(() => response.socket!.destroy(), 50));
        return;
      }
      const condition = request.headers["if-range"];
      if (condition !== undefined && condition !== (now["etag"] ?? now["last-modified"]))
        delete request.headers.range;
      sendRange(request, response, after, now);
    });
  const other = body.map((byte) => byte ^ 1);

  test("into other bytes ends with a reason that names both versions", async () => {
    const etags = await changing(other, { etag: '"one"' }, { etag: '"two"' });
    const run = await download(atUrl(etags.url));
    expect(reasonOf(run)).toContain('changed while it was downloaded (ETag "one", now "two")');
    expect(etags.asked[1]!.headers["if-range"]).toBe('"one"');
    const dates = ["Mon, 02 Feb 2026 10:00:00 GMT", "Tue, 03 Feb 2026 10:00:00 GMT"];
    const dated = await changing(other, { "last-modified": dates[0]! }, { "last-modified": dates[1]! });
    expect(reasonOf(await download(atUrl(dated.url)))).toContain(
      `(Last-Modified ${dates[0]}, now ${dates[1]})`,
    );
  });

  test("in its ETag only, as behind several web servers, goes on: the digests decide", async () => {
    const { url } = await changing(body, { etag: '"server-a"' }, { etag: '"server-b"' });
    const run = await download(atUrl(url));
    expect(run.outcome.kind).toBe("done");
    expect(run.states.join()).toContain('ETag "server-a", now "server-b"');
  });

  test("into another length ends with both lengths", async () => {
    const { url } = await changing(body.subarray(9), { etag: '"one"' }, { etag: '"two"' });
    expect(reasonOf(await download(atUrl(url)))).toContain("the manifest says");
  });
});

describe("what the caller says meanwhile", () => {
  test("a chunk that is no longer wanted ends the request, and the next missing run is asked for", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const have = new ChunkSet(101);
    const run = await download(atUrl(url), {
      have,
      isWanted: (chunk) => !have.has(chunk),
      async onChunk(chunk) {
        have.add(chunk);
        // A peer delivers most of the rest while this one is stored.
        if (chunk === 10) for (let other = 11; other < 90; other++) have.add(other);
        return "stored";
      },
    });
    expect(run.outcome.kind).toBe("done");
    expect(asked.map((each) => each.range)).toEqual([null, `bytes=${90 * chunkSizeBytes}-${sizeBytes - 1}`]);
  });

  test("an error of the cache ends the download with its message", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const run = await download(atUrl(url), { onChunk: () => Promise.reject(new Error("the disk is full")) });
    expect(run.outcome).toEqual({ kind: "failed", reason: "the disk is full" });
  });

  test("a slow disk slows the web site down instead of filling the memory", async () => {
    let sent = 0;
    const piece = new Uint8Array(65_536);
    const large = 64 * 1_048_576;
    const server = createServer((socket) => {
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`);
        const more = (): void => {
          while (sent < large && !socket.destroyed) {
            sent += piece.length;
            if (!socket.write(piece)) return void socket.once("drain", more);
          }
        };
        more();
      });
    });
    const url = `http://127.0.0.1:${await listen(server)}/big`;
    const from = testPackage(key, {
      files: { x: large },
      chunkSizeBytes: 1_048_576,
      origin: { kind: "url", url, layout: "file" },
    });
    const abort = new AbortController();
    let stored = 0;
    const run = await download(from, {
      signal: abort.signal,
      async onChunk() {
        await Bun.sleep(150);
        if (++stored === 6) abort.abort();
        return "stored";
      },
    });
    expect(run.outcome.kind).toBe("aborted");
    // What the kernel buffers on both ends comes on top of the six chunks.
    expect(sent).toBeLessThan(32 * 1_048_576);
  }, 20_000);

  test("a rate is kept on average", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const start = performance.now();
    const rateBps = 8 * sizeBytes; // the package in one second
    expect((await download(atUrl(url), { rateBps: () => rateBps })).outcome.kind).toBe("done");
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(600);
    expect(took).toBeLessThan(6_000);
  });
});

/** A forward proxy: plain requests and CONNECT tunnels; notes what it was asked for. */
async function proxy(): Promise<{ url: string; lines: string[] }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.once("data", (head: Buffer) => {
      const line = head.toString("latin1").split("\r\n")[0]!;
      lines.push(line);
      const [method = "", target = ""] = line.split(" ");
      const to = new URL(method === "CONNECT" ? `http://${target}` : target);
      const upstream = connect(Number(to.port), to.hostname, () => {
        if (method === "CONNECT") socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        else upstream.write(head.toString("latin1").replace(target, to.pathname), "latin1");
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on("error", () => socket.destroy());
      socket.on("close", () => upstream.destroy());
    });
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, lines };
}

function environment(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    cleanups.push(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

describe("a forward proxy", () => {
  test("named by HTTP_PROXY is used for plain HTTP, unless NO_PROXY names the site", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const { url: through, lines } = await proxy();
    environment({ HTTP_PROXY: through, NO_PROXY: "" });
    expect((await download(atUrl(`${url}/x`))).outcome.kind).toBe("done");
    expect(lines).toEqual([`GET ${url}/x HTTP/1.1`]);
    environment({ NO_PROXY: "127.0.0.1" });
    expect((await download(atUrl(`${url}/x`))).outcome.kind).toBe("done");
    expect(lines.length).toBe(1);
  });

  test("named by HTTPS_PROXY tunnels TLS; a certificate of one's own is trusted when its authority is given", async () => {
    const folder = temporaryFolder("tls");
    cleanups.push(folder.remove);
    const [cert, secret] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
    if (!Bun.which("openssl")) return console.warn("skipped: openssl is not installed");
    const made = Bun.spawnSync([
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      secret,
      "-out",
      cert,
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
    ]);
    expect(made.exitCode).toBe(0);
    const server = Bun.serve({
      port: 0,
      tls: { cert: Bun.file(cert), key: Bun.file(secret) },
      fetch: () => new Response(body),
    });
    cleanups.push(() => server.stop(true));
    const { url: through, lines } = await proxy();
    environment({ HTTPS_PROXY: through, NO_PROXY: "" });
    const contentUrl = `https://localhost:${server.port}/x`;
    const from = testPackage(key, { files: { "setup.bin": sizeBytes }, chunkSizeBytes });
    expect(reasonOf(await download(from, { contentUrl }))).toContain("certificate");
    const ca = await Bun.file(cert).text();
    expect((await download(from, { contentUrl, ca })).outcome.kind).toBe("done");
    // The source's authority says nothing about other web sites.
    expect(reasonOf(await download(atUrl(contentUrl), { ca }))).toContain("NODE_EXTRA_CA_CERTS");
    expect(lines.every((line) => line === `CONNECT localhost:${server.port} HTTP/1.1`)).toBe(true);
  });
});

describe("real web servers", () => {
  test("Bun.serve with a file answers ranges", async () => {
    const folder = temporaryFolder("site");
    cleanups.push(folder.remove);
    writeFileSync(join(folder.path, "setup.bin"), body);
    const server = Bun.serve({
      port: 0,
      fetch: () => new Response(Bun.file(join(folder.path, "setup.bin"))),
    });
    cleanups.push(() => server.stop(true));
    const run = await download(atUrl(new URL("/setup.bin", server.url).href), {
      have: ChunkSet.fromRanges(101, [7, 30])!,
    });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(sizeBytes - 30 * chunkSizeBytes);
  });

  test("nginx serves a folder, with ranges and with max_ranges 0", async () => {
    if (!Bun.which("nginx")) return console.warn("skipped: nginx is not installed");
    const folder = temporaryFolder("nginx");
    cleanups.push(folder.remove);
    const files = { "bin/app ä.exe": 300_000, "bin/b": 1, "lib/c.dll": 123_456 };
    const from = (url: string): TestPackage =>
      testPackage(key, { files, chunkSizeBytes, origin: { kind: "url", url, layout: "folder" } });
    const { manifest, stream } = from("http://h/");
    let at = 0;
    for (const file of manifest.files) {
      const path = join(folder.path, "web", file.path);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, stream.subarray(at, at + file.sizeBytes));
      at += file.sizeBytes;
    }
    const port = await freePort();
    const config = join(folder.path, "nginx.conf");
    writeFileSync(
      config,
      `daemon off; worker_processes 1; pid ${folder.path}/pid; error_log ${folder.path}/error.log;
       ${process.getuid?.() === 0 ? "user root;" : ""}
       events { worker_connections 64; }
       http { access_log off; client_body_temp_path ${folder.path}/t1; proxy_temp_path ${folder.path}/t2;
         fastcgi_temp_path ${folder.path}/t3; uwsgi_temp_path ${folder.path}/t4; scgi_temp_path ${folder.path}/t5;
         server { listen 127.0.0.1:${port}; root ${folder.path}/web;
           location /plain/ { alias ${folder.path}/web/; max_ranges 0; } } }`,
    );
    const nginx = Bun.spawn(["nginx", "-c", config, "-p", folder.path], {
      stdout: "ignore",
      stderr: "ignore",
    });
    cleanups.push(async () => {
      nginx.kill();
      await nginx.exited;
    });
    const have = ChunkSet.fromRanges(26, [2, 5])!;
    const run = await download(from(`http://127.0.0.1:${port}`), { have, attempts: 20 });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(manifest.sizeBytes - 5 * chunkSizeBytes);
    const plain = await download(from(`http://127.0.0.1:${port}/plain/`), {
      have: ChunkSet.fromRanges(26, [2, 5])!,
    });
    expect(plain.outcome.kind).toBe("done");
  }, 30_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
