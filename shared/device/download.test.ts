import { afterEach, describe, expect, test } from "bun:test";
import { createServer, connect } from "node:net";
import type { IncomingMessage, ServerResponse } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ChunkSet } from "../model/chunk-set.ts";
import { SocketFetch } from "../net/web/socket-fetch.ts";
import { connectPeer } from "../net/web/tls-peer.ts";
import { chunkCount } from "../model/manifest.ts";
import { temporaryFolder, testPackage } from "../model/testing.ts";
import {
  atUrl,
  body,
  chunkSizeBytes,
  cleanUp,
  cleanups,
  download,
  environment,
  key,
  listen,
  makeCertificate,
  reasonOf,
  sendRange,
  site,
  sizeBytes,
  type Sited,
} from "./testing-download.ts";

afterEach(cleanUp);

describe("a whole download", () => {
  test("takes one request and transfers the package once", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const run = await download(atUrl(`${url}/setup.bin`));
    expect(run.outcome).toEqual({ kind: "done" });
    expect(run.stored).toEqual([...Array(101).keys()]);
    expect(run.bytes).toBe(sizeBytes);
    expect(asked.length).toBe(1);
    expect(asked[0]!.headers["accept-encoding"]).toBe("identity");
    expect(run.states).toEqual([`downloading from ${url}/setup.bin`]);
  });

  test("sends no request for an empty package or if nothing is missing", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    expect((await download({ ...testPackage(key, { files: {} }), site: atUrl(url).site })).outcome.kind).toBe(
      "done",
    );
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

  test("of a folder requests each file that has missing bytes, at encoded paths", async () => {
    const files = { "a b/ü#1.bin": 20_000, "data/x?": 0, "data/y": 40_000, "z%": 10 };
    delete (files as Record<string, number>)["data/x?"];
    const published = testPackage(key, { files, chunkSizeBytes });
    const from = (url: string): Sited => ({ ...published, site: { url, layout: "folder" } });
    const { stream } = published;
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
    const have = ChunkSet.full(chunkCount(published.manifest));
    // The second chunk is the rest of the first file.
    have.delete(1);
    expect((await download(from(`${url}/pkg?key=s`), { have })).bytes).toBe(20_000 - chunkSizeBytes);
  });

  test("from the source sends its headers", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const headers = { authorization: "Bearer secret" };
    expect((await download(atUrl(`${url}/content`, { headers }))).outcome.kind).toBe("done");
    expect(asked[0]!.headers.authorization).toBe("Bearer secret");
  });
});

describe("redirects", () => {
  test("are followed, and the credential is sent to its origin only", async () => {
    const cdn = await site((request, response) => sendRange(request, response));
    const home = await site((request, response) => {
      const to = request.url === "/content" ? "/moved" : `${cdn.url}/bytes`;
      response.writeHead(302, { location: to }).end("moved");
    });
    const headers = { authorization: "Bearer secret" };
    const have = ChunkSet.fromRanges(101, [0, 50])!;
    const run = await download(atUrl(`${home.url}/content`, { headers }), { have });
    expect(run.outcome.kind).toBe("done");
    expect(home.asked.map((each) => each.headers.authorization)).toEqual(["Bearer secret", "Bearer secret"]);
    expect(cdn.asked[0]!.headers.authorization).toBeUndefined();
    expect(cdn.asked[0]!.range).toBe(`bytes=819200-${sizeBytes - 1}`);
  });

  test("that form a loop or lead to another protocol fail with a reason", async () => {
    const { url } = await site((request, response) => {
      response.writeHead(302, { location: request.url === "/file" ? "file:///etc/passwd" : "/again" }).end();
    });
    expect(reasonOf(await download(atUrl(`${url}/x`)))).toContain("redirects more than 10 times");
    expect(reasonOf(await download(atUrl(`${url}/file`)))).toContain("not a web address");
  });
});

describe("interruptions", () => {
  test("by a reset connection resume at the next byte", async () => {
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

  test("by a stall close the connection and request the rest", async () => {
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

  test("before the headers fail with a reason after the maximum of attempts", async () => {
    const { url, asked } = await site(() => {});
    const run = await download(atUrl(`${url}/x.bin`), { stallMs: 100, attempts: 3 });
    expect(reasonOf(run)).toContain(`gave up after 3 attempts without progress: ${url}/x.bin sent nothing`);
    expect(asked.length).toBe(3);
  });

  test("by a close, a refusal or an unknown name have different reasons", async () => {
    const closing = await site((_request, response) => response.socket!.destroy());
    expect(reasonOf(await download(atUrl(closing.url), { attempts: 2 }))).toContain("closed early");
    expect(reasonOf(await download(atUrl("http://127.0.0.1:1/x"), { attempts: 2 }))).toContain(
      "refuses connections",
    );
    expect(reasonOf(await download(atUrl("http://no.such.invalid/x"), { attempts: 1 }))).toContain(
      "cannot be resolved",
    );
  });

  test("are counted from zero again after progress", async () => {
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

  test("by the caller end the download at once, also during a wait", async () => {
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
  test("is read from its beginning, and known chunks are discarded", async () => {
    const { url, asked } = await site(ignoring);
    const run = await download(atUrl(url), { have: ChunkSet.fromRanges(101, [0, 40])! });
    expect(run.outcome.kind).toBe("done");
    expect(run.stored[0]).toBe(40);
    expect(run.bytes).toBe(sizeBytes);
    expect(asked.length).toBe(1);
    expect(run.states.join()).toContain("ignores range requests");
  });

  test("is asked for a range again after an interruption, and then continues there", async () => {
    let answers = 0;
    const { url, asked } = await site((request, response) => {
      if (++answers > 1) return sendRange(request, response);
      // A cache that fills: the whole file, and the connection breaks.
      response.writeHead(200, { "content-length": sizeBytes });
      response.write(body.subarray(0, 80 * chunkSizeBytes), () => response.destroy());
    });
    const run = await download(atUrl(url), { have: ChunkSet.fromRanges(101, [0, 40])! });
    expect(run.outcome.kind).toBe("done");
    expect(asked.length).toBe(2);
    // The second request continues behind the chunks of the first, which may end a little early.
    const from = Number(/^bytes=(\d+)-/.exec(asked[1]!.range ?? "")?.[1]);
    expect(from).toBeGreaterThan(40 * chunkSizeBytes);
    expect(run.bytes).toBeLessThan(sizeBytes + 2 * chunkSizeBytes);
  });

  test("is remembered, so several missing runs take one request", async () => {
    const { url, asked } = await site(ignoring);
    const have = ChunkSet.fromRanges(101, [0, 10, 20, 10, 40, 50])!;
    const run = await download(atUrl(url), { have });
    expect(run.outcome.kind).toBe("done");
    expect(asked.length).toBe(1);
    expect(run.bytes).toBe(sizeBytes);
  });
});

test("a chunk that others stored twice does not end the download", async () => {
  const { url } = await site((request, response) => sendRange(request, response));
  let requests = 0;
  const run = await download(atUrl(url), {
    nextRun: () => (++requests <= 2 ? { first: 3, count: 1 } : null),
    onChunk: async () => "known",
  });
  expect(run.outcome).toEqual({ kind: "done" });
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
  ])("with status %d fail at once with a reason that names URL and remedy", async (status, words) => {
    const { url, asked } = await site((_request, response) => response.writeHead(status).end("sorry"));
    const run = await download(atUrl(`${url}/app/setup.bin?token=secret`));
    expect(reasonOf(run)).toContain(words);
    expect(reasonOf(run)).toContain(`${url}/app/setup.bin`);
    expect(reasonOf(run)).not.toContain("secret");
    expect(asked.length).toBe(1);
  });

  test("with status 503 wait as long as Retry-After demands, in seconds or until a date", async () => {
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

  test("with status 429 or 500 and no Retry-After back off, and fail after the maximum of attempts", async () => {
    const { url, asked } = await site((_request, response, count) =>
      response.writeHead(count % 2 ? 429 : 500).end(),
    );
    expect(reasonOf(await download(atUrl(url)))).toContain(
      "gave up after 4 attempts without progress: web site answered 500",
    );
    expect(asked.length).toBe(4);
  });

  test("of a wrong length fail with both lengths, with and without a range", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response, body.subarray(1)));
    for (const have of [new ChunkSet(101), ChunkSet.fromRanges(101, [0, 5])!]) {
      const reason = reasonOf(await download(atUrl(url), { have }));
      expect(reason).toContain(`has ${sizeBytes - 1} bytes, the manifest says ${sizeBytes}`);
      expect(reason).toContain("publish it again");
    }
    expect(asked.length).toBe(2);
  });

  test("with another range than requested, or compressed, are refused", async () => {
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

  test("with wrong bytes are requested once more, past caches, and then fail with chunk and URL", async () => {
    const bad = body.slice();
    bad[5 * chunkSizeBytes]! ^= 1;
    const once = await site((request, response, count) =>
      sendRange(request, response, count === 1 ? bad : body),
    );
    const retried = await download(atUrl(once.url));
    expect(retried.outcome.kind).toBe("done");
    expect(once.asked[1]!.headers["cache-control"]).toBe("no-cache");
    expect(retried.bytes).toBeLessThan(2 * sizeBytes);
    const always = await site((request, response) => sendRange(request, response, bad));
    const reason = reasonOf(await download(atUrl(`${always.url}/setup.bin`)));
    expect(reason).toContain(`chunk 5 from ${always.url}/setup.bin does not match the manifest, twice`);
    expect(always.asked.length).toBe(2);
  });
});

/** Starts a web site that cuts its first answer off and then has another version. */
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

describe("a file that changes midway", () => {
  const other = body.map((byte) => byte ^ 1);

  test("into other bytes fails with a reason that names both versions", async () => {
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

  test("in its ETag only, as behind several web servers, continues if the digests are right", async () => {
    const { url } = await changing(body, { etag: '"server-a"' }, { etag: '"server-b"' });
    const run = await download(atUrl(url));
    expect(run.outcome.kind).toBe("done");
    expect(run.states.join()).toContain('ETag "server-a", now "server-b"');
  });

  test("into another length fails with both lengths", async () => {
    const { url } = await changing(body.subarray(9), { etag: '"one"' }, { etag: '"two"' });
    expect(reasonOf(await download(atUrl(url)))).toContain("the manifest says");
  });
});

describe("callbacks during a download", () => {
  test("stop the request at a chunk that is no longer wanted and request the next missing run", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    const have = new ChunkSet(101);
    const run = await download(atUrl(url), {
      have,
      isWanted: (chunk) => !have.has(chunk),
      async onChunk(chunk) {
        have.add(chunk);
        // A peer delivers most of the rest while chunk 10 is stored.
        if (chunk === 10) for (let other = 11; other < 90; other++) have.add(other);
        return "stored";
      },
    });
    expect(run.outcome.kind).toBe("done");
    expect(asked.map((each) => each.range)).toEqual([null, `bytes=${90 * chunkSizeBytes}-${sizeBytes - 1}`]);
  });

  test("end the download with the message of an error of the cache", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const run = await download(atUrl(url), { onChunk: () => Promise.reject(new Error("the disk is full")) });
    expect(run.outcome).toEqual({ kind: "failed", reason: "the disk is full" });
  });

  test("slow the web site down when the disk is slow, instead of filling the memory", async () => {
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
    const published = testPackage(key, { files: { x: large }, chunkSizeBytes: 1_048_576 });
    const from: Sited = { ...published, site: { url, layout: "file" } };
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
    // The kernels on both ends buffer some bytes in addition to the six chunks.
    expect(sent).toBeLessThan(32 * 1_048_576);
  }, 20_000);

  test("limit the average rate", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const start = performance.now();
    const rateBps = 8 * sizeBytes; // the whole package in one second
    expect((await download(atUrl(url), { rateBps: () => rateBps })).outcome.kind).toBe("done");
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(600);
    expect(took).toBeLessThan(6_000);
  });
});

/** Starts a forward proxy for plain requests and CONNECT tunnels, and records the request lines. */
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

  test("named by HTTPS_PROXY tunnels TLS, and so does a fetch that judges the certificate", async () => {
    const folder = temporaryFolder("tls");
    cleanups.push(folder.remove);
    const { cert, secret } = await makeCertificate(folder.path);
    const server = Bun.serve({
      port: 0,
      tls: { cert: Bun.file(cert), key: Bun.file(secret) },
      fetch: () => new Response(body),
    });
    cleanups.push(() => server.stop(true));
    const { url: through, lines } = await proxy();
    environment({ HTTPS_PROXY: through, NO_PROXY: "" });
    const url = `https://localhost:${server.port}/x`;
    expect(reasonOf(await download(atUrl(url)))).toContain("NODE_EXTRA_CA_CERTS");
    const sockets = new SocketFetch(async (origin) => (await connectPeer(origin)).socket);
    cleanups.push(() => sockets.close());
    expect((await download(atUrl(url, { fetch: sockets.fetch }))).outcome.kind).toBe("done");
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
    const published = testPackage(key, { files, chunkSizeBytes });
    const from = (url: string): Sited => ({ ...published, site: { url, layout: "folder" } });
    const { manifest, stream } = published;
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
    const have = ChunkSet.fromRanges(chunkCount(manifest), [2, 5])!;
    const run = await download(from(`http://127.0.0.1:${port}`), { have, attempts: 20 });
    expect(run.outcome).toEqual({ kind: "done" });
    expect(run.bytes).toBe(manifest.sizeBytes - 5 * chunkSizeBytes);
    const plain = await download(from(`http://127.0.0.1:${port}/plain/`), {
      have: ChunkSet.fromRanges(chunkCount(manifest), [2, 5])!,
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
