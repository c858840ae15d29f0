/**
 * The server of the LAN exchange: serves verified chunks and manifests to other devices of the
 * subnet by TCP, and answers polls and probes. Requests prove the package's key for the connection
 * they arrive on; answers are sealed with it (seal.ts).
 *
 * Only verified chunks are served. A chunk that `readChunk` cannot read counts as not held.
 */
import { createExchangeClient } from "./client.ts";
import { Connections } from "./connections.ts";
import { ServerConnection, type ConnectionHooks, type Reply } from "./connection.ts";
import { encodePollAnswer, heldRangesMax, type ExchangeRequest } from "./messages.ts";
import type { OfferedPackage, PackageKey, PeerConnection, Peers } from "./peers.ts";
import { createExchangeSeal, type ExchangeSeal } from "./seal.ts";
import { pollLimits, uploadLimits, Uploads } from "./uploads.ts";

/** TCP port of the exchange without `--lan-port`: the same number as the UDP port of the group. */
export const defaultLanPort = 7_067;

/** Upper bound on bytes of requests that have not arrived as a whole. */
const requestBytesMax = 4 * 1_048_576;
const checkEveryMs = 1_000;

type Entry = OfferedPackage & { seal: ExchangeSeal; bytesSent: number };

type SocketData = { readonly connection: ServerConnection | null };

/** Probes of the source (probes.ts). */
type ProbeHooks = {
  /** Returns the secret of an open probe with a device at this address; null: there is none. */
  readonly secretOf: (id: string, fromAddress: string) => Uint8Array | null;
  /** Notes that a device has proved the secret. Returns whether it is the other device. */
  readonly onProved: (id: string, device: string) => boolean;
};

type ExchangeOptions = {
  readonly interfaceAddress: string;
  /** Device id, 16 hex digits. */
  readonly device: string;
  /** TCP port to listen on; 0, the default, takes any free one. */
  readonly lanPort?: number;
  /** Whether an address may be that of another device of the subnet. Default: any. */
  readonly isNeighbour?: (address: string) => boolean;
  readonly probes?: ProbeHooks;
  readonly onError: (error: unknown) => void;
};

export class ExchangeServer implements Peers {
  readonly counters = { chunksSent: 0, bytesSent: 0, refused: 0 };
  /** Why the server listens on another port than the one of the options; empty if on that one. */
  portProblem = "";
  readonly #packages = new Map<string, Entry>();
  readonly #options: ExchangeOptions;
  #listener: Bun.TCPSocketListener<SocketData>;
  readonly #uploads = new Uploads(uploadLimits);
  readonly #polls = new Uploads(pollLimits);
  readonly #connections = new Connections<ServerConnection>();
  #requestBytes = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  /** Listens on any free port until the first `move`. */
  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#listener = this.#listen(options.interfaceAddress, 0);
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      for (const connection of this.#connections) connection.checkTime(nowMs);
    }, checkEveryMs);
    this.#timer.unref();
  }

  /**
   * Moves the server to another address, there to the port of the options. If that one is not
   * usable, the server keeps the port that it has, or takes any free one.
   * @throws Error when the server cannot listen on the address
   */
  async move(interfaceAddress: string): Promise<void> {
    const wanted = this.#options.lanPort ?? 0;
    const ports = [...new Set([wanted || this.lanPort, this.lanPort, 0])];
    this.#stop();
    this.portProblem = "";
    for (const port of ports) {
      try {
        this.#listener = this.#listen(interfaceAddress, port);
        return;
      } catch (error) {
        if (port === 0) throw error;
        if (port === wanted) this.portProblem = `TCP port ${port} cannot be used: ${causeOf(error)}`;
      }
    }
  }

  #listen(hostname: string, port: number): Bun.TCPSocketListener<SocketData> {
    return Bun.listen<SocketData>({
      hostname,
      port,
      exclusive: true,
      socket: {
        open: (socket) => {
          socket.setNoDelay(true);
          socket.data = {
            connection: this.#connections.admits(socket.remoteAddress) ? this.#open(socket) : null,
          };
          if (socket.data.connection === null) socket.terminate();
        },
        data: ({ data }, bytes) => data.connection?.onData(bytes),
        drain: ({ data }) => data.connection?.onDrain(),
        close: ({ data }) => this.#closed(data?.connection ?? null),
        error: ({ data }) => this.#closed(data?.connection ?? null),
      },
    });
  }

  #open(socket: Bun.Socket<unknown>): ServerConnection {
    const connection = new ServerConnection(socket, this.#hooks());
    this.#connections.add(connection);
    return connection;
  }

  #closed(connection: ServerConnection | null): void {
    if (connection !== null) this.#connections.close(connection);
  }

  get lanPort(): number {
    return this.#listener.port;
  }

  connect(keys: readonly PackageKey[]): PeerConnection {
    const isNeighbour = (address: string): boolean => this.isNeighbour(address);
    return createExchangeClient({ keys, device: this.#options.device, isNeighbour });
  }

  isNeighbour(address: string): boolean {
    return this.#options.isNeighbour?.(address) ?? true;
  }

  /** Share of upload slots in use, 0 to 100. */
  get load(): number {
    return this.#uploads.load;
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.count;
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
    clearInterval(this.#timer);
    this.#stop();
  }

  #stop(): void {
    this.#listener.stop(true);
    this.#connections.closeAll();
  }

  #hooks(): ConnectionHooks {
    const { device, probes, onError } = this.#options;
    return {
      device,
      sealOf: (session, fromAddress) => {
        const secret = probes?.secretOf(session, fromAddress);
        return secret ? createExchangeSeal(secret) : (this.#packages.get(session)?.seal ?? null);
      },
      answer: (session, request, fromAddress) => this.#answer(session, request, fromAddress),
      buffers: (bytes, connection) => {
        this.#requestBytes += bytes;
        return bytes <= 0 || this.#makeRoom(connection);
      },
      onRefused: () => this.counters.refused++,
      onError,
    };
  }

  /** Closes other connections until what has arrived of requests is within its bound. */
  #makeRoom(connection: ServerConnection): boolean {
    while (this.#requestBytes > requestBytesMax) if (!this.#connections.dropWaiting(connection)) return false;
    return true;
  }

  async #answer(session: string, request: ExchangeRequest, fromAddress: string): Promise<Reply> {
    const entry = this.#packages.get(session);
    if (request.kind === "probe")
      return this.#options.probes?.onProved(session, request.from)
        ? { status: "ok", bytes: new Uint8Array(0), isOwn: false }
        : this.#withhold("notHeld");
    if (!entry) return this.#withhold("notHeld");
    switch (request.kind) {
      case "poll":
        return this.#poll(entry, request.poll, fromAddress);
      case "chunk":
        return this.#chunk(entry, request.chunk, fromAddress);
      case "manifest":
        return this.#manifest(entry, fromAddress);
    }
  }

  #withhold(status: "notHeld" | "busy"): Reply {
    this.counters.refused++;
    return { status };
  }

  #poll(entry: Entry, poll: Extract<ExchangeRequest, { kind: "poll" }>["poll"], fromAddress: string): Reply {
    const { peers, leads } = entry.onPoll?.(poll, fromAddress) ?? { peers: [], leads: 0 };
    const heldRanges = entry.held().toRanges(heldRangesMax);
    const { device } = this.#options;
    const bytes = encodePollAnswer({ device, heldRanges, load: this.load, peers, leads });
    const upload = this.#polls.begin(fromAddress, bytes.length);
    if (upload === null) return this.#withhold("busy");
    return { status: "ok", bytes, isOwn: false, onEnded: () => this.#polls.end(upload) };
  }

  async #chunk(entry: Entry, chunk: number, fromAddress: string): Promise<Reply> {
    if (!entry.held().has(chunk)) return this.#withhold("notHeld");
    const upload = this.#uploads.begin(fromAddress, entry.chunkSizeBytes);
    if (upload === null) return this.#withhold("busy");
    try {
      const bytes = await entry.readChunk(chunk);
      const { length } = bytes;
      const onSent = (): void => {
        this.counters.chunksSent++;
        this.counters.bytesSent += length;
        entry.bytesSent += length;
      };
      return { status: "ok", bytes, isOwn: true, onSent, onEnded: () => this.#uploads.end(upload) };
    } catch (error) {
      this.#uploads.end(upload);
      this.#options.onError(error);
      return this.#withhold("notHeld");
    }
  }

  async #manifest(entry: Entry, fromAddress: string): Promise<Reply> {
    const bytes = await entry.manifest();
    if (bytes === null) return this.#withhold("notHeld");
    const upload = this.#uploads.begin(fromAddress, bytes.length);
    if (upload === null) return this.#withhold("busy");
    return { status: "ok", bytes, isOwn: false, onEnded: () => this.#uploads.end(upload) };
  }
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EADDRINUSE" ? "another program uses it" : message;
};
