/**
 * The way to a pinned source: requests leave this device only on connections to a server that has
 * proved to be the source.
 *
 * Over TLS, the server proves it with a certificate whose key a statement of the source names. The
 * statement is read over a connection to that very certificate. Dates, names and authorities of the
 * certificate do not count then. A statement that names no key leaves the certificate to the
 * system's authorities: a proxy before the source has it. Without TLS, which has to be allowed
 * beyond this machine, the statement is read once for each address.
 */
import { randomBytes } from "node:crypto";
import { request as startRequest, Agent } from "node:https";
import * as v from "valibot";
import { isLoopback } from "../model/loopback.ts";
import { identityFingerprint, isSigned, type SourceStatement } from "../model/source-statement.ts";
import { mayReuseConnections } from "../net/web/connection-pool.ts";
import { IdentityError } from "../net/web/identity-error.ts";
import type { SiteFetch } from "../net/web/site-fetch.ts";
import { SocketFetch } from "../net/web/socket-fetch.ts";
import { connectPeer, type TlsPeer } from "../net/web/tls-peer.ts";
import { textOfAnswer } from "./answer-body.ts";
import { plainHttpProblem } from "./plain-http.ts";
import { statementSchema } from "./schema/identity.ts";

const statementMsMax = 15_000;
const statementBytesMax = 16_384;
/** A certificate may be replaced between a statement and the next connection. */
const connectionsMax = 3;

/** Certificates that a statement of the source allows. */
type Vouched =
  | { readonly kind: "nothing" }
  | { readonly kind: "key"; readonly spki: string }
  | { readonly kind: "system" };

type TransportOptions = {
  readonly url: string;
  /** SHA-256 of the source's identity key, hex. */
  readonly identity: string;
  /** Key of the certificate that the source vouched for last; null: not known. */
  readonly spki?: string | null | undefined;
  /** Whether an address without TLS may be on another machine. Default: false. */
  readonly allowsPlainHttp?: boolean | undefined;
  /** Called with the key of another certificate, once the source has vouched for it. */
  readonly onSpki?: (spki: string) => void;
};

/** The part that the clients use. */
export type Transport = Pick<SourceTransport, "url" | "spki" | "fetch" | "statement" | "moveTo" | "dropIdle">;

export class SourceTransport {
  readonly #options: TransportOptions;
  readonly #sockets = new SocketFetch((url) => this.#connect(url));
  /** Origins without TLS that have proved to be the source. */
  readonly #plain = new Set<string>();
  #url: string;
  #vouched: Vouched;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#url = options.url;
    const { spki = null } = options;
    this.#vouched = spki === null ? { kind: "nothing" } : { kind: "key", spki };
  }

  get url(): string {
    return this.#url;
  }

  /** Key of the certificate in use; null without TLS, and before the first connection. */
  get spki(): string | null {
    return this.#vouched.kind === "key" ? this.#vouched.spki : null;
  }

  /** Sends later requests to another address of the source. */
  moveTo(url: string): void {
    this.#url = url;
  }

  /**
   * Requests a path of the source, at its address of today: the origin of `url` is ignored.
   * @throws IdentityError before anything is sent, if the server is not the source
   */
  readonly fetch: SiteFetch = async (url, init) => {
    const { pathname, search } = new URL(url);
    const here = this.#url;
    if (here.startsWith("https:")) return this.#sockets.fetch(here + pathname + search, init);
    this.#requireAllowed(here);
    if (!this.#plain.has(here)) await this.statement(here, init.signal);
    return plainFetch(here + pathname + search, init);
  };

  /**
   * Reads the statement at `url`, and returns it if it is the source's own.
   * @throws IdentityError, or the error of the connection
   */
  async statement(url = this.#url, signal?: AbortSignal): Promise<SourceStatement> {
    if (url.startsWith("https:")) {
      const peer = await connectPeer(url);
      return this.#statementOver(peer, url);
    }
    this.#requireAllowed(url);
    const nonce = newNonce();
    const limit = AbortSignal.timeout(statementMsMax);
    const response = await plainFetch(url + statementPath(nonce), {
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const statement = this.#verify(
      url,
      nonce,
      response.status,
      await textOfAnswer(response, statementBytesMax),
    );
    if (statement.tlsSpki !== null)
      throw new IdentityError("identity", `The source at ${url} uses TLS: write https:// in its URL`);
    this.#plain.add(url);
    return statement;
  }

  /** Closes idle connections, which lead nowhere after a change of the network. */
  dropIdle(): void {
    this.#sockets.dropIdle();
  }

  close(): void {
    this.#sockets.close();
  }

  /** @throws IdentityError for an address without TLS that is not allowed */
  #requireAllowed(url: string): void {
    const problem = this.#options.allowsPlainHttp === true ? null : plainHttpProblem(url);
    if (problem !== null) throw new IdentityError("plain-http", problem);
  }

  async #connect(url: string): Promise<TlsPeer["socket"]> {
    for (let connections = 1; ; connections++) {
      const peer = await connectPeer(url);
      if (this.#isVouched(peer)) return peer.socket;
      try {
        await this.#statementOver(peer, url);
      } catch (error) {
        if (!(error instanceof ReplacedError) || connections >= connectionsMax) throw error;
        continue;
      }
      // The statement holds, so that the next connection should show this certificate.
      if (connections >= connectionsMax) throw new ReplacedError(url);
    }
  }

  #isVouched({ spki, systemProblem }: TlsPeer): boolean {
    switch (this.#vouched.kind) {
      case "key":
        return this.#vouched.spki === spki;
      case "system":
        return systemProblem === null;
      case "nothing":
        return false;
    }
  }

  /** Reads the statement over the connection of `peer`, and closes the connection. */
  async #statementOver(peer: TlsPeer, url: string): Promise<SourceStatement> {
    const nonce = newNonce();
    try {
      const { status, text } = await getOver(peer.socket, url + statementPath(nonce));
      const statement = this.#verify(url, nonce, status, text);
      this.#accept(peer, url, statement);
      return statement;
    } finally {
      peer.socket.destroy();
    }
  }

  /** @throws IdentityError if the statement does not allow the certificate of `peer` */
  #accept({ spki, systemProblem }: TlsPeer, url: string, statement: SourceStatement): void {
    if (statement.tlsSpki === spki) {
      const known = this.spki;
      this.#vouched = { kind: "key", spki };
      if (known !== spki) this.#options.onSpki?.(spki);
      return;
    }
    if (statement.tlsSpki !== null) throw new ReplacedError(url);
    if (systemProblem === null) {
      this.#vouched = { kind: "system" };
      return;
    }
    if (/EXPIRED|NOT_YET_VALID/.test(systemProblem)) {
      const apartSeconds = Math.round((Date.now() - statement.sourceTimeMs) / 1_000);
      throw new IdentityError(
        "clock",
        `The certificate at ${url} is not valid at the time of this device, which is ${apartSeconds} s after that of the source (${systemProblem}): correct the clock, or renew the certificate of the proxy before the source`,
      );
    }
    throw new IdentityError(
      "certificate",
      `The certificate at ${url} is not the source's own, and the system does not trust it (${systemProblem}): another server answers, or a proxy before the source whose authority is missing in the system's trust store`,
    );
  }

  /** @throws IdentityError if the answer is not a fresh statement of the pinned source */
  #verify(url: string, nonce: string, status: number, text: string): SourceStatement {
    const parsed = v.safeParse(statementSchema, status === 200 ? parsedJson(text) : null);
    if (!parsed.success) {
      throw new IdentityError(
        "certificate",
        `The server at ${url} does not prove to be the source (status ${status}, no statement): is this a flockcast source?`,
      );
    }
    const { signature, ...statement } = parsed.output;
    const found = identityFingerprint(Buffer.from(statement.identityKey, "base64"));
    if (!isSigned(parsed.output) || statement.nonce !== nonce) {
      const why = isSigned({ ...statement, signature }) ? "it is not fresh" : "its signature is wrong";
      throw new IdentityError("identity", `The statement of the server at ${url} does not count: ${why}`);
    }
    if (found !== this.#options.identity) {
      throw new IdentityError(
        "identity",
        `Another source answers at ${url}: its identity is ${found}, expected ${this.#options.identity}`,
      );
    }
    return statement;
  }
}

/** The certificate of the connection is not the one that the statement names. */
class ReplacedError extends IdentityError {
  constructor(url: string) {
    super(
      "certificate",
      `The certificate at ${url} is not the source's own: another server answers between this device and the source`,
    );
  }
}

const newNonce = (): string => randomBytes(16).toString("hex");
const statementPath = (nonce: string): string => `/v1/identity?nonce=${nonce}`;

const plainFetch: SiteFetch = (url, { body, decompress = true, signal, ...init }) =>
  fetch(url, {
    ...init,
    redirect: "manual",
    // A proxy of the environment would carry the credential of a local connection over the network.
    ...(isLoopback(new URL(url).hostname) ? ({ proxy: false } as object) : {}),
    decompress,
    keepalive: mayReuseConnections(),
    // Disables Bun's limit of five minutes: the caller has its own.
    timeout: false,
    ...(signal === undefined ? {} : { signal }),
    ...(body === undefined ? {} : { body: body as NonNullable<BunFetchRequestInit["body"]> }),
  });

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Requests `url` over one connection, with no credential. */
function getOver(socket: TlsPeer["socket"], url: string): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const agent = Object.assign(new Agent({ keepAlive: false }), { createConnection: () => socket });
  const request = startRequest(url, { agent, headers: { accept: "application/json" } }, (response) => {
    let text = "";
    response.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      if (text.length > statementBytesMax) request.destroy(new Error("the answer is too long"));
    });
    response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    response.on("error", reject);
  });
  const timer = setTimeout(() => {
    const message = `no statement within ${statementMsMax / 1_000} s`;
    request.destroy(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
  }, statementMsMax);
  request.on("error", reject);
  request.once("close", () => {
    clearTimeout(timer);
    reject(Object.assign(new Error("the connection was closed without an answer"), { code: "ECONNRESET" }));
  });
  request.end();
  return promise;
}
