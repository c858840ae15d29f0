/** Downloads from several web sites, from broken ones, and from folders of small files. */
import { afterEach, describe, expect, test } from "bun:test";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";
import { ChunkSet } from "../model/chunk-set.ts";
import { chunkCount } from "../model/manifest.ts";
import { temporaryFolder, testPackage } from "../model/testing.ts";
import { newTaskRow } from "./task-record.ts";
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
import { taskForTest } from "./testing.ts";
import { WanSpending } from "./wan-spending.ts";

afterEach(cleanUp);

/** Sends the beginning of the file, and breaks the connection. */
function breakOff(response: ServerResponse, upTo: number): void {
  response.writeHead(200, { "content-length": sizeBytes });
  response.write(body.subarray(0, upTo), () => setTimeout(() => response.destroy(), 50));
}

describe("several web sites", () => {
  test("are tried in order, and the next one continues within the chunk", async () => {
    const first = await site((_request, response, count) =>
      count === 1 ? breakOff(response, 20 * chunkSizeBytes + 99) : response.writeHead(404).end(),
    );
    const second = await site((request, response) => sendRange(request, response));
    const sites = [atUrl(`${first.url}/a?sig=secret`).site, atUrl(second.url).site];
    const run = await download(atUrl(first.url), { sites: () => sites });
    expect(run.outcome.kind).toBe("done");
    expect(run.bytes).toBe(sizeBytes);
    expect(second.asked.map(({ range }) => range)).toEqual([
      `bytes=${20 * chunkSizeBytes + 99}-${sizeBytes - 1}`,
    ]);
    const text = run.states.join("\n");
    expect(text).toContain(`answered 404`);
    expect(text).toContain(`continues with ${second.url}`);
    expect(text).not.toContain("secret");
  });

  test("are put aside after their attempts, and the reason names each", async () => {
    const first = await site((_request, response) => response.writeHead(500).end());
    const second = await site((_request, response) => response.writeHead(410).end());
    const sites = [atUrl(first.url).site, atUrl(second.url).site];
    const reason = reasonOf(await download(atUrl(first.url), { sites: () => sites, attempts: 2 }));
    expect(reason).toContain("none of 2 web sites serves the package");
    expect(reason).toContain(
      `gave up after 2 attempts without progress: web site answered 500 for ${first.url}`,
    );
    expect(reason).toContain(`${second.url}/ answered 410`);
    expect([first.asked.length, second.asked.length]).toEqual([2, 1]);
  });

  test("are read again before each run: a URL that was added meanwhile is used", async () => {
    const second = await site((request, response) => sendRange(request, response));
    const sites = [atUrl("http://127.0.0.1:1/").site];
    const run = await download(atUrl(second.url), {
      sites: () => sites,
      onState: () => void (sites[1] ??= atUrl(second.url).site),
    });
    expect(run.outcome.kind).toBe("done");
  });

  test("do not wait for one that asks for more than a minute", async () => {
    const first = await site((_request, response) => response.writeHead(503, { "retry-after": "600" }).end());
    const second = await site((request, response) => sendRange(request, response));
    const sites = [atUrl(first.url).site, atUrl(second.url).site];
    expect((await download(atUrl(first.url), { sites: () => sites })).outcome.kind).toBe("done");
    expect(first.asked.length).toBe(1);
  });
});

test.each(["0", new Date(Date.now() - 60_000).toUTCString(), "soon"])(
  "Retry-After %p does not switch the back-off off",
  async (header) => {
    const { url } = await site((_request, response) =>
      response.writeHead(503, { "retry-after": header }).end(),
    );
    const run = await download(atUrl(url), { attempts: 4 });
    expect(run.states.map((state) => /^waiting (\d+ ms)/.exec(state)?.[1])).toEqual([
      "8 ms",
      "15 ms",
      "30 ms",
    ]);
  },
);

type Answer = (response: ServerResponse, start: number) => void;
const part = (response: ServerResponse, start: number, headers: Record<string, string>): void =>
  void response.writeHead(206, headers).end(body.subarray(start));
const rangeOf = (start: number): string => `bytes ${start}-${sizeBytes - 1}/${sizeBytes}`;

describe("a web site with broken ranges is asked for the whole file", () => {
  test.each<[string, Answer]>([
    ["several parts", (r, at) => part(r, at, { "content-type": "multipart/byteranges; boundary=x" })],
    [
      "a compressed part",
      (r, at) => part(r, at, { "content-range": rangeOf(at), "content-encoding": "gzip" }),
    ],
    ["a part without Content-Range", (r, at) => part(r, at, {})],
    ["another sign", (r, at) => part(r, at, { "content-range": rangeOf(at).replace(" ", "=") })],
    ["a later part", (r, at) => part(r, at + 9, { "content-range": rangeOf(at + 9) })],
    ["416", (r) => void r.writeHead(416, { "content-range": `bytes */${sizeBytes}` }).end()],
    ["403", (r) => void r.writeHead(403).end()],
    ["400", (r) => void r.writeHead(400).end()],
  ])("after %s", async (_, answer) => {
    const { url, asked } = await site((request, response, count) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
      if (!Number.isNaN(start)) return answer(response, start);
      if (count === 1) return breakOff(response, 800_000);
      sendRange(request, response);
    });
    const run = await download(atUrl(url));
    expect(run.outcome.kind).toBe("done");
    expect(asked.map(({ range }) => range !== null)).toEqual([false, true, false]);
    expect(run.states.join()).toContain("the whole file is asked for");
  });

  test("a limited number of times", async () => {
    const { url, asked } = await site((request, response) =>
      request.headers.range === undefined ? breakOff(response, 10) : response.writeHead(403).end(),
    );
    expect(reasonOf(await download(atUrl(url), { attempts: 6 }))).toContain("gave up after 6 attempts");
    expect(asked.length).toBeLessThanOrEqual(6);
  });

  test("but not after an earlier part, which is read over", async () => {
    const { url, asked } = await site((_request, response, count) => {
      if (count === 1) return breakOff(response, 800_000);
      part(response, 700_000, { "content-range": rangeOf(700_000) });
    });
    const run = await download(atUrl(url));
    expect(run.outcome.kind).toBe("done");
    expect(asked.length).toBe(2);
    expect(run.bytes).toBe(sizeBytes + 100_000);
  });
});

test("one whole answer to a range request does not end range requests, also after a success", async () => {
  const { url, asked } = await site((request, response, count) => {
    if (count === 1) delete request.headers.range;
    sendRange(request, response);
  });
  const runs = [
    { first: 95, count: 6 },
    { first: 80, count: 2 },
  ];
  const have = new ChunkSet(101);
  const run = await download(atUrl(url), {
    have,
    nextRun: () => runs.find(({ first }) => !have.has(first)) ?? null,
  });
  expect(run.outcome.kind).toBe("done");
  expect(asked.map(({ range }) => range)).toEqual([
    `bytes=${95 * chunkSizeBytes}-${sizeBytes - 1}`,
    `bytes=${80 * chunkSizeBytes}-${82 * chunkSizeBytes - 1}`,
  ]);
});

/** Opens a site with a folder of small files that answers each request after 50 ms. */
async function openFolder(count: number, fileBytes: number) {
  const names = Array.from({ length: count }, (_, index) => `f${String(index).padStart(4, "0")}`);
  const published = testPackage(key, {
    files: Object.fromEntries(names.map((name) => [name, fileBytes])),
    chunkSizeBytes,
  });
  const flight = { now: 0, max: 0 };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    flight.max = Math.max(flight.max, ++flight.now);
    const offset = Number(request.url!.slice(2)) * fileBytes;
    setTimeout(() => {
      flight.now--;
      sendRange(request, response, published.stream.subarray(offset, offset + fileBytes));
    }, 50);
  };
  const { url, asked } = await site(answer);
  return { from: { ...published, site: { url, layout: "folder" } } satisfies Sited, asked, flight };
}

describe("a folder of small files", () => {
  test("is requested six files at a time, and stored in order", async () => {
    const { from, asked, flight } = await openFolder(100, 2_000);
    const run = await download(from);
    expect(run.outcome.kind).toBe("done");
    expect(flight.max).toBe(6);
    expect(asked.length).toBe(100);
    expect(run.bytes).toBe(200_000);
    expect(run.stored).toEqual(Array.from({ length: chunkCount(from.manifest) }, (_, chunk) => chunk));
  });

  test("is requested one file at a time when the rate limit allows no more", async () => {
    const { from, flight } = await openFolder(12, 2_000);
    expect((await download(from, { rateBps: () => 160_000 })).outcome.kind).toBe("done");
    expect(flight.max).toBe(6);
    const slow = await openFolder(4, 2_000);
    expect((await download(slow.from, { rateBps: () => 24_000 })).outcome.kind).toBe("done");
    expect(slow.flight.max).toBe(1);
  });

  test("counts one failure of the web site once, whatever was requested ahead", async () => {
    const { from } = await openFolder(20, 2_000);
    const { url } = await site((request, response, count) => {
      if (count <= 6) return void response.writeHead(503).end();
      const offset = Number(request.url!.slice(2)) * 2_000;
      sendRange(request, response, from.stream.subarray(offset, offset + 2_000));
    });
    const run = await download({ ...from, site: { url, layout: "folder" } }, { attempts: 2 });
    expect(run.outcome).toEqual({ kind: "done" });
  });

  test("names the file that is missing", async () => {
    const { from } = await openFolder(20, 2_000);
    const { url } = await site((request, response) => {
      if (request.url === "/f0007") return void response.writeHead(404).end();
      const offset = Number(request.url!.slice(2)) * 2_000;
      sendRange(request, response, from.stream.subarray(offset, offset + 2_000));
    });
    const run = await download({ ...from, site: { url, layout: "folder" } });
    expect(reasonOf(run)).toContain(`${url}/f0007 answered 404`);
  });
});

const spendingOf = () => new WanSpending(newTaskRow(taskForTest()));
const limited = (spending: WanSpending) => ({
  onBytes: (bytes: number) => void (spending.fetchedBytes += bytes),
  budgetProblem: (pendingBytes: number) => spending.problem(sizeBytes, pendingBytes),
});

describe("the budget of useless bytes", () => {
  test("ends the download from a site without ranges that breaks off each time", async () => {
    const { url } = await site((_request, response) => breakOff(response, 1_000_000));
    const spending = spendingOf();
    const run = await download(atUrl(url), { ...limited(spending), attempts: 100 });
    expect(reasonOf(run)).toMatch(
      /MB were fetched from the web site, .* MB of it in vain.*ignores range requests/,
    );
    expect(spending.fetchedBytes).toBeLessThan(3.3 * sizeBytes);
  });

  test("does not limit useful bytes, and counts a chunk that is fetched again", async () => {
    const { url } = await site((request, response) => sendRange(request, response));
    const spending = spendingOf();
    spending.granted({ urls: [], atSource: true, uselessBytesLeft: 100_000 }, 0);
    const stored = (chunk: number, bytes: Uint8Array) => {
      spending.stored(chunk, bytes.length);
      return Promise.resolve("stored" as const);
    };
    const whole = [{ first: 0, count: 101 }];
    const first = await download(atUrl(url), {
      ...limited(spending),
      onChunk: stored,
      nextRun: () => whole.pop() ?? null,
    });
    expect(first.outcome.kind).toBe("done");
    expect(spending.uselessBytes).toBe(0);
    // A scanner emptied the files: the same chunks once more.
    const again = await download(atUrl(url), {
      ...limited(spending),
      onChunk: stored,
      nextRun: () => ({ first: 0, count: 101 }),
    });
    expect(reasonOf(again)).toContain("in vain");
    expect(spending.fetchedBytes).toBeLessThan(2.5 * sizeBytes);
  });

  test("counts what arrived of an answer that is refused by its headers", async () => {
    const { url } = await site((_request, response) => {
      response.writeHead(200, { "content-length": String(sizeBytes - 1) }).end(body.subarray(1));
    });
    const run = await download(atUrl(url));
    expect(reasonOf(run)).toContain("the manifest says");
    expect(run.bytes).toBeGreaterThan(0);
  });
});

describe("redirects", () => {
  test("without a target, or into the network's own addresses, are not followed", async () => {
    const { url } = await site((request, response) => {
      const inner = request.url === "/inner" ? { location: "http://169.254.169.254/latest" } : {};
      response.writeHead(302, inner).end();
    });
    expect(reasonOf(await download(atUrl(`${url}/x`)))).toContain(
      "answered 302, a redirect without a target",
    );
    expect(reasonOf(await download(atUrl(`${url}/inner`)))).toContain("which is a link-local address");
  });
});

describe("connections that fail", () => {
  test("are described in words", async () => {
    const plain = await site((request, response) => sendRange(request, response));
    const tls = reasonOf(await download(atUrl(plain.url.replace("http:", "https:")), { attempts: 1 }));
    expect(tls).toContain("does not speak TLS");
    const chatty = createServer((socket) => {
      socket.on("error", () => {});
      const lines = Array.from({ length: 400 }, (_, index) => `X-${index}: x\r\n`).join("");
      socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${lines}\r\n`));
    });
    const malformed = await download(atUrl(`http://127.0.0.1:${await listen(chatty)}/`), { attempts: 1 });
    expect(reasonOf(malformed)).toContain("too many header lines");
  });

  test("through a proxy of another kind end at once, with the name of the variable", async () => {
    const { url, asked } = await site((request, response) => sendRange(request, response));
    environment({ HTTP_PROXY: "socks5://127.0.0.1:1", NO_PROXY: "" });
    const run = await download(atUrl(url));
    expect(reasonOf(run)).toContain("the proxy in HTTP_PROXY of this program's environment is not an http");
    expect(asked).toEqual([]);
  });

  test("with a certificate that is not trusted name its issuer, and one of another name says so", async () => {
    if (!Bun.which("openssl")) return console.warn("skipped: openssl is not installed");
    const folder = temporaryFolder("tls");
    cleanups.push(folder.remove);
    const { cert, secret } = await makeCertificate(folder.path);
    const tls = { cert: Bun.file(cert), key: Bun.file(secret) };
    const server = Bun.serve({ port: 0, tls, fetch: () => new Response(body) });
    cleanups.push(() => server.stop(true));
    const untrusted = reasonOf(await download(atUrl(`https://localhost:${server.port}/x`)));
    expect(untrusted).toContain('issued by "localhost", is not trusted');
    expect(untrusted).toContain("system's trust store");
  });
});
