/**
 * The LAN exchange as a device uses it: the port between shared/device and HTTP. The agent passes server.ts and client.ts,
 * the simulator its network.
 */
import type { ChunkSet } from "../../model/chunk-set.ts";
import type { Poll, PollAnswer } from "./messages.ts";

export type PeerAddress = { readonly address: string; readonly lanPort: number };

/** A package that other devices may request chunks of. */
export type OfferedPackage = {
  /** The package's key, 16 bytes. */
  key: Uint8Array;
  /** Chunks that may be requested now. */
  held: () => ChunkSet;
  /** Returns the chunk in its own buffer, which the server frees after use. */
  readChunk: (chunk: number) => Promise<Uint8Array>;
  onPoll?: ((poll: Poll, fromAddress: string) => PollReply) | undefined;
};
/** What a session adds to the answer of a poll. */
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
  /** @returns null when there is no valid answer */
  poll(to: PeerAddress, poll: Poll): Promise<PollAnswer | null>;
  chunk(from: PeerAddress, chunk: number, lengthBytes: number): Promise<ChunkAnswer>;
  close(): void;
};

export type Peers = {
  /** TCP port of this device's server; 0 while it serves nothing. */
  readonly lanPort: number;
  /** Share of this device's upload slots in use, 0 to 100. */
  readonly load: number;
  /** Serves a package under its session id from now on. */
  offer(session: string, offered: OfferedPackage): void;
  withdraw(session: string): void;
  /** Bytes of chunks served since the package is offered. */
  bytesSentOf(session: string): number;
  /** @param packageKey 16 bytes */
  connect(session: string, packageKey: Uint8Array): PeerConnection;
};
