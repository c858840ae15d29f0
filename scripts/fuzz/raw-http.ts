/**
 * Malformed HTTP over plain sockets: heads, lengths, ranges and bodies that contradict each other.
 */
import type { SeededRandom } from "./seeded-random.ts";
import { mutated } from "./mutate.ts";

const utf8 = new TextEncoder();

/**
 * Opens a server that sends the bytes of `answer` after a connection's first bytes, and closes the
 * connection.
 */
export function openRawServer(answer: () => Uint8Array): { readonly port: number; close(): void } {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write(answer());
        socket.end();
      },
    },
  });
  return { port: server.port, close: () => server.stop(true) };
}

const statusLines = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 206 Partial Content",
  "HTTP/1.1 206 x",
  "HTTP/1.0 200",
  "HTTP/1.1 304 x",
  "HTTP/1.1 503 x",
  "HTTP/1.1 302 x",
  "HTTP/1.1 416 x",
  "HTTP/9.9 200 OK",
  "HTTP/1.1 999 x",
  "HTTP/1.1 -1",
  "hello",
  "",
  "HTTP/1.1 100 Continue",
] as const;
const headers = [
  "content-range: bytes 0-99/100",
  "content-range: bytes */100",
  "content-range: bytes 99999999999999999-1/5",
  "content-range: bytes 5-1/100",
  "content-length: 0",
  "content-length: -1",
  "content-length: 99999999999999999999",
  "content-length: 5, 6",
  "transfer-encoding: chunked",
  "content-encoding: gzip",
  'etag: "x"',
  'etag: W/"',
  "last-modified: never",
  "retry-after: 99999999999",
  "retry-after: Mon, 99",
  "location: //127.0.0.1:1/",
  "location: file:///etc/passwd",
  "location: http://[::",
  "connection: keep-alive",
  "x: \u0000",
  "set-cookie: a=b",
  ": y",
] as const;

/** Returns an HTTP response around `body`, which is often valid. @param options.range status 206 */
export function rawAnswer(
  random: SeededRandom,
  body: Uint8Array,
  options: { readonly range: boolean },
): Uint8Array {
  const isPlain = random.oneIn(3);
  const status = isPlain
    ? `HTTP/1.1 ${options.range ? "206 Partial Content" : "200 OK"}`
    : random.pick(statusLines);
  const lines = [status, `content-length: ${body.length}`];
  if (options.range) lines.push(`content-range: bytes 0-${body.length - 1}/${body.length}`);
  if (!isPlain) {
    if (random.oneIn(2)) lines.splice(1, 1);
    for (let count = random.int(4); count > 0; count--) lines.push(random.pick(headers));
    if (random.oneIn(100)) lines.push(...Array.from({ length: 500 }, (_, i) => `x-${i}: ${"y".repeat(200)}`));
  }
  const head = utf8.encode(`${lines.join("\r\n")}\r\n\r\n`);
  const whole = Buffer.concat([random.oneIn(4) && !isPlain ? mutated(random, head) : head, body]);
  return random.oneIn(8) ? whole.subarray(0, random.int(whole.length + 1)) : whole;
}
