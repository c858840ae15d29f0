/**
 * HTTP over connections that the caller makes: the request is written to a connection only after
 * the caller has handed it over.
 *
 * Bun's fetch cannot do this. Without `rejectUnauthorized` it never calls `checkServerIdentity`,
 * and with it an expired certificate, or a leaf without its authority, is refused first (measured
 * with Bun 1.4.5). node:https is as fast.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as startRequest } from "node:https";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { TLSSocket } from "node:tls";
import type { SiteFetch, SiteFetchInit } from "./site-fetch.ts";

/** Time for which an idle connection is kept: less than servers and balancers keep theirs. */
const idleMsMax = 45_000;
const withoutBody = new Set([204, 205, 304]);

type Connect = (url: string) => Promise<TLSSocket>;

/** Keeps connections and sends requests on them, or on new ones of `connect`. */
export class SocketFetch {
  readonly #agent: Agent;

  constructor(connect: Connect) {
    this.#agent = new Agent({ keepAlive: true, timeout: idleMsMax });
    const createConnection = (
      options: { host: string; port: number },
      onSocket: (error: Error | null, socket?: TLSSocket) => void,
    ): void => {
      const { host, port } = options;
      connect(`https://${host.includes(":") ? `[${host}]` : host}:${port}`).then(
        (socket) => onSocket(null, socket),
        (error: Error) => onSocket(error),
      );
    };
    Object.assign(this.#agent, { createConnection });
  }

  readonly fetch: SiteFetch = async (url, init) => {
    init.signal?.throwIfAborted();
    try {
      return await this.#once(url, init);
    } catch (error) {
      if (!(error instanceof StaleConnection) || init.body instanceof ReadableStream) {
        throw error instanceof StaleConnection ? error.cause : error;
      }
      // The server has closed an idle connection; the others are as old.
      this.dropIdle();
      return this.#once(url, init);
    }
  };

  /** Closes idle connections, which lead nowhere after a change of the network. */
  dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets))
      for (const socket of sockets ?? []) socket.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }

  async #once(url: string, init: SiteFetchInit): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { signal, body, decompress = true } = init;
    const request = startRequest(url, {
      method: init.method ?? "GET",
      agent: this.#agent,
      headers: {
        ...(decompress ? { "accept-encoding": "gzip" } : {}),
        ...init.headers,
        ...lengthHeader(body),
      },
    });
    const abort = (): void => {
      request.destroy(signal?.reason as Error);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    const release = (): void => signal?.removeEventListener("abort", abort);
    request.once("response", resolve);
    request.on("error", (error) => reject(request.reusedSocket ? new StaleConnection(error) : error));
    request.once("close", () => reject(new Error("the connection was closed without an answer")));
    if (signal?.aborted) abort();
    // A server may answer before it has read the body.
    else void sendBody(request, body).catch(reject);
    try {
      return answerOf(await promise, { signal, decompress, release });
    } catch (error) {
      release();
      request.destroy();
      throw error;
    }
  }
}

/** A kept connection that failed before an answer. */
class StaleConnection extends Error {
  constructor(cause: Error) {
    super("a kept connection failed", { cause });
  }
}

function lengthHeader(body: SiteFetchInit["body"]): Record<string, string> {
  if (body === undefined || body instanceof ReadableStream) return {};
  const length =
    typeof body === "string" ? Buffer.byteLength(body) : body instanceof Blob ? body.size : body.length;
  return { "content-length": String(length) };
}

async function sendBody(request: ClientRequest, body: SiteFetchInit["body"]): Promise<void> {
  if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  const stream = body instanceof Blob ? body.stream() : body;
  for await (const piece of stream) {
    if (request.destroyed) return;
    if (!request.write(piece)) await drained(request);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    request.off("drain", done);
    request.off("close", done);
    resolve();
  };
  request.once("drain", done);
  request.once("close", done);
  return promise;
}

type AnswerOptions = {
  readonly signal: AbortSignal | undefined;
  readonly decompress: boolean;
  readonly release: () => void;
};

function answerOf(incoming: IncomingMessage, { signal, decompress, release }: AnswerOptions): Response {
  const headers = new Headers();
  const { rawHeaders, statusCode: status = 0 } = incoming;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  incoming.on("error", release);
  // An abort after the end of the answer leaves the connection to the next request.
  incoming.once("end", release);
  incoming.once("close", release);
  if (withoutBody.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  let body: Readable = incoming;
  if (decompress && headers.get("content-encoding") === "gzip") {
    headers.delete("content-encoding");
    headers.delete("content-length");
    const gunzip = createGunzip();
    incoming.on("error", (error) => gunzip.destroy(error));
    gunzip.once("close", () => incoming.destroy());
    body = incoming.pipe(gunzip);
  }
  return new Response(bodyStream(body, signal), { status, headers });
}

/** Reads ahead by one piece only. */
function bodyStream(body: Readable, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (error: unknown): void => {
          if (isOver) return;
          isOver = true;
          controller.error(signal?.aborted ? signal.reason : error);
        };
        body.on("data", (piece: Uint8Array) => {
          if (isOver) return;
          controller.enqueue(piece);
          if ((controller.desiredSize ?? 0) <= 0) body.pause();
        });
        body.once("end", () => {
          if (isOver) return;
          isOver = true;
          controller.close();
        });
        body.on("error", fail);
        body.once("close", () => fail(closedEarly()));
      },
      pull() {
        body.resume();
      },
      cancel() {
        isOver = true;
        body.destroy();
      },
    },
    { highWaterMark: 1 },
  );
}

const closedEarly = (): Error =>
  Object.assign(new Error("the connection was closed before the end of the answer"), { code: "ECONNRESET" });
