/**
 * The LAN exchange as a device uses it: a port. The agent passes server.ts and client.ts, the
 * simulator its network.
 */
import type { ChunkSet } from "../../model/chunk-set.ts";
import type { Poll, PollAnswer } from "./messages.ts";

export type PeerAddress = {
  /** Device id: only this device answers. */
  readonly device: string;
  readonly address: string;
  readonly lanPort: number;
};

/** A key of a package, 16 bytes, with the session that is derived from it. */
export type PackageKey = { readonly session: string; readonly key: Uint8Array };

/** A package whose chunks other devices may request. */
export type OfferedPackage = {
  /** The package's key, 16 bytes. */
  key: Uint8Array;
  /** Size of a chunk; the last one may be smaller. */
  chunkSizeBytes: number;
  /** Chunks that may currently be requested. */
  held: () => ChunkSet;
  /** Returns the chunk in a separate buffer, which the server frees. */
  readChunk: (chunk: number) => Promise<Uint8Array>;
  /** Returns the packed manifest of the package; null if it cannot be read. */
  manifest: () => Promise<Uint8Array | null>;
  /** Called for each poll; its reply is added to the answer. */
  onPoll?: ((poll: Poll, fromAddress: string) => PollReply) | undefined;
};
/** The session's part of the answer to a poll. */
export type PollReply = Pick<PollAnswer, "peers" | "leads">;

export type ChunkAnswer =
  | { kind: "chunk"; bytes: Uint8Array }
  /** The device does not hold the chunk, or no longer holds it. */
  | { kind: "not-found" }
  | { kind: "busy" }
  /** The answer was not sealed with this package's key, or has the wrong length. */
  | { kind: "wrong" }
  | { kind: "failed"; reason: string };

/** Requests about one package to other devices. */
export type PeerConnection = {
  /** Polls a device; null if the answer is missing or not valid. */
  poll(to: PeerAddress, poll: Poll): Promise<PollAnswer | null>;
  /** Requests a chunk. A failure is an answer of kind `failed`. */
  chunk(from: PeerAddress, chunk: number, lengthBytes: number): Promise<ChunkAnswer>;
  /** Requests the packed manifest; null if the device answers without one. */
  manifest(from: PeerAddress): Promise<Uint8Array | "unreachable" | null>;
  close(): void;
};

export type Peers = {
  /** TCP port of this device's server; 0 while it serves nothing. */
  readonly lanPort: number;
  /** Share of this device's upload slots in use, 0 to 100. */
  readonly load: number;
  /** Whether an address may be that of another device: others get no requests. */
  isNeighbour(address: string): boolean;
  /** Starts to serve a package under its session id. */
  offer(session: string, offered: OfferedPackage): void;
  /** Stops serving a package. */
  withdraw(session: string): void;
  /** Bytes of chunks served since the package was offered. */
  bytesSentOf(session: string): number;
  /**
   * Returns a connection for requests about a package.
   * @param keys the newest first; a device that does not know one is asked under the next
   */
  connect(keys: readonly PackageKey[]): PeerConnection;
};
