/**
 * The server of the LAN exchange: an HTTP server that serves verified chunks to other devices of
 * the subnet and answers polls. Answers are sealed with the package's key (seal.ts).
 *
 * Only verified chunks are served. A chunk that `readChunk` cannot read counts as not held.
 */
import { freeBuffer } from "../../model/free-buffer.ts";
import { createExchangeClient } from "./client.ts";
import { decodePoll, encodePollAnswer, heldRangesMax } from "./messages.ts";
import type { OfferedPackage, PeerConnection, Peers } from "./peers.ts";
import { createExchangeSeal, type ExchangeSeal } from "./seal.ts";
import { Uploads } from "./uploads.ts";

/** TCP port of the exchange without `--lan-port`: the same number as the UDP port of the group. */
export const defaultLanPort = 7_067;

/** Upper bound on a sealed poll; one with `heldRangesMax` ranges is smaller. */
const pollBytesMax = 131_072;

type ChunkRequest = { readonly chunk: number; readonly request: Request; readonly fromAddress: string };
type Entry = OfferedPackage & { seal: ExchangeSeal; bytesSent: number };

type ExchangeOptions = {
  readonly interfaceAddress: string;
  /** Device id, 16 hex digits. */
  readonly device: string;
  /** TCP port to listen on; 0, the default, takes any free one. */
  readonly lanPort?: number;
  /** Whether an address may be that of another device of the subnet. Default: any. */
  readonly isNeighbour?: (address: string) => boolean;
  /** Answers a probe of the source (probes.ts); null refuses it. */
  readonly answerProbe?: (id: string, proof: string, fromAddress: string) => string | null;
  readonly onError: (error: unknown) => void;
};

export class ExchangeServer implements Peers {
  readonly counters = { chunksSent: 0, bytesSent: 0, refused: 0 };
  readonly #packages = new Map<string, Entry>();
  /** Why the server listens on another port than the one of the options; empty if on that one. */
  portProblem = "";
  readonly #options: ExchangeOptions;
  #server: Bun.Server<undefined>;
  readonly #uploads = new Uploads();

  /** Listens on any free port until the first `move`. */
  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#server = this.#listen(options.interfaceAddress, 0);
  }

  /**
   * Moves the server to another address, there to the port of the options. If that one is not
   * usable, the server keeps the port that it has, or takes any free one.
   * @throws Error when the server cannot listen on the address
   */
  async move(interfaceAddress: string): Promise<void> {
    const wanted = this.#options.lanPort ?? 0;
    const ports = [...new Set([wanted || this.lanPort, this.lanPort, 0])];
    await this.#server.stop(true);
    this.portProblem = "";
    for (const port of ports) {
      try {
        this.#server = this.#listen(interfaceAddress, port);
        return;
      } catch (error) {
        if (port === 0) throw error;
        if (port === wanted) this.portProblem = `TCP port ${port} cannot be used: ${causeOf(error)}`;
      }
    }
  }

  #listen(hostname: string, port: number): Bun.Server<undefined> {
    return Bun.serve({
      hostname,
      port,
      maxRequestBodySize: pollBytesMax,
      error: (error) => {
        this.#options.onError(error);
        return new Response(null, { status: 500 });
      },
      fetch: (request, server) => this.#answer(request, server.requestIP(request)?.address ?? ""),
    });
  }

  get lanPort(): number {
    return this.#server.port!;
  }

  connect(session: string, packageKey: Uint8Array): PeerConnection {
    return createExchangeClient(session, packageKey, (address) => this.isNeighbour(address));
  }

  isNeighbour(address: string): boolean {
    return this.#options.isNeighbour?.(address) ?? true;
  }

  /** Share of upload slots in use, 0 to 100. */
  get load(): number {
    return this.#uploads.load;
  }

  /** Serves chunks of this package under its session name until `withdraw`. */
  offer(session: string, offered: OfferedPackage): void {
    this.#packages.set(session, { ...offered, seal: createExchangeSeal(offered.key), bytesSent: 0 });
  }

  /** Chunk bytes sent to other devices since the package was offered. */
  bytesSentOf(session: string): number {
    return this.#packages.get(session)?.bytesSent ?? 0;
  }

  withdraw(session: string): void {
    this.#packages.delete(session);
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }

  #answer(request: Request, fromAddress: string): Promise<Response> | Response {
    // Without a Host header the URL of a request is only its path.
    const path = URL.parse(request.url, "http://exchange")?.pathname ?? "";
    const probe = /^\/probe\/([0-9a-f]{16})$/.exec(path)?.[1];
    if (probe !== undefined) return this.#probe(probe, request, fromAddress);
    const match = /^\/exchange\/([0-9a-f]{16})\/(?:(poll)|chunk\/(\d{1,10})|(manifest))$/.exec(path);
    const entry = match && this.#packages.get(match[1]!);
    if (!match || !entry) return this.#refuse(404);
    if (match[2] && request.method === "POST") return this.#poll(entry, path, request, fromAddress);
    if (match[3] && request.method === "GET")
      return this.#chunk(entry, path, { chunk: Number(match[3]), request, fromAddress });
    if (match[4] && request.method === "GET") return this.#manifest(entry, path, request, fromAddress);
    return this.#refuse(405);
  }

  #probe(id: string, request: Request, fromAddress: string): Response {
    const given = request.headers.get("x-flockcast-proof") ?? "";
    const proof = this.#options.answerProbe?.(id, given, fromAddress) ?? null;
    return proof === null ? this.#refuse(404) : new Response(proof);
  }

  #refuse(status: number): Response {
    this.counters.refused++;
    return new Response(null, { status });
  }

  async #poll(entry: Entry, path: string, request: Request, fromAddress: string): Promise<Response> {
    const length = Number(request.headers.get("content-length") ?? Number.NaN);
    if (!(length <= pollBytesMax)) return this.#refuse(413);
    const opened = entry.seal.open(`${path} request`, new Uint8Array(await request.arrayBuffer()));
    const asked = opened && decodePoll(opened);
    if (!asked) return this.#refuse(403);
    const { peers, leads } = entry.onPoll?.(asked, fromAddress) ?? { peers: [], leads: 0 };
    const heldRanges = entry.held().toRanges(heldRangesMax);
    return this.#sealed(
      entry,
      path,
      encodePollAnswer({ device: this.#options.device, heldRanges, load: this.load, peers, leads }),
    );
  }

  async #chunk(entry: Entry, path: string, { chunk, request, fromAddress }: ChunkRequest): Promise<Response> {
    if (!entry.seal.isProof(path, request.headers.get("x-flockcast-proof") ?? "")) return this.#refuse(403);
    if (!entry.held().has(chunk)) return this.#refuse(404);
    const upload = this.#uploads.begin(fromAddress, entry.chunkSizeBytes);
    if (upload === null) return this.#refuse(503);
    try {
      const bytes = await entry.readChunk(chunk);
      const sealed = entry.seal.seal(`${path} answer`, bytes);
      const { length } = bytes;
      freeBuffer(bytes);
      const body = this.#uploads.body(upload, sealed, () => {
        this.counters.chunksSent++;
        this.counters.bytesSent += length;
        entry.bytesSent += length;
      });
      return new Response(body);
    } catch (error) {
      this.#uploads.end(upload);
      this.#options.onError(error);
      return this.#refuse(404);
    }
  }

  async #manifest(entry: Entry, path: string, request: Request, fromAddress: string): Promise<Response> {
    if (!entry.seal.isProof(path, request.headers.get("x-flockcast-proof") ?? "")) return this.#refuse(403);
    const bytes = await entry.manifest();
    if (bytes === null) return this.#refuse(404);
    const upload = this.#uploads.begin(fromAddress, bytes.length);
    if (upload === null) return this.#refuse(503);
    const sealed = entry.seal.seal(`${path} answer`, bytes);
    return new Response(this.#uploads.body(upload, sealed, () => {}));
  }

  #sealed(entry: Entry, path: string, bytes: Uint8Array): Response {
    return new Response(entry.seal.seal(`${path} answer`, bytes) as Uint8Array<ArrayBuffer>);
  }
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EADDRINUSE" ? "another program uses it" : message;
};
