/**
 * One connection to the server of the LAN exchange: greets with a challenge, reads a request, and
 * sends its answer in sealed pieces as fast as the requester reads. Requests come one after the
 * other: the next one is read after the requester has acknowledged the answer.
 *
 * A request costs nothing but one opened seal until it is proved. The server (server.ts) decides
 * what is answered.
 */
import { randomBytes } from "node:crypto";
import { freeBuffer } from "../../model/free-buffer.ts";
import { uint32At } from "../../wire/identity.ts";
import {
  answerBytes,
  greetingOf,
  headOf,
  isRequestLength,
  lengthBytes,
  pieceBytes,
  requestIn,
  statuses,
} from "./framing.ts";
import { decodeRequest, type ExchangeRequest } from "./messages.ts";
import { challengeBytes, contextOf, type Exchanged, type ExchangeSeal } from "./seal.ts";

/** Time for the next request, and for a requester that reads nothing. */
const idleMs = 10_000;
/** Time for a whole answer; the client waits as long (client.ts). */
const answerMs = 30_000;
const refusedMs = 1_000;

/** Answer to a proved request. */
export type Reply =
  | { readonly status: "notHeld" | "busy" }
  | {
      readonly status: "ok";
      readonly bytes: Uint8Array;
      /** Whether `bytes` belong to this answer alone, and are freed once they were sent. */
      readonly isOwn: boolean;
      /** Called when all bytes were handed to the system. */
      readonly onSent?: () => void;
      /** Called when the requester has them, or the connection is closed. */
      readonly onEnded?: () => void;
    };

export type ConnectionHooks = {
  /** Id of this device. */
  readonly device: string;
  /** Returns the seal of a package or a probe; null: it is not offered. */
  readonly sealOf: (session: string, fromAddress: string) => ExchangeSeal | null;
  readonly answer: (session: string, request: ExchangeRequest, fromAddress: string) => Promise<Reply>;
  /** Counts bytes of requests that are not complete. Returns false if there are too many. */
  readonly buffers: (bytes: number, connection: ServerConnection) => boolean;
  readonly onRefused: () => void;
  readonly onError: (error: unknown) => void;
};

type Sending = { readonly reply: Extract<Reply, { status: "ok" }>; at: number; index: number };
type Stage =
  | { readonly kind: "reads" }
  | { readonly kind: "answers" }
  /** `sending` null: everything was handed to the system, and is not acknowledged yet. */
  | { readonly kind: "sends"; readonly sending: Sending; isSent: boolean; readonly untilMs: number }
  /** The requester was told why, and has a second to read it. */
  | { readonly kind: "refused" }
  | { readonly kind: "closed" };

export type ServerSocket = Pick<Bun.Socket<unknown>, "write" | "end" | "terminate" | "remoteAddress">;

export class ServerConnection {
  readonly address: string;
  /** Whether a request on this connection was proved. */
  isProved = false;
  readonly #socket: ServerSocket;
  readonly #hooks: ConnectionHooks;
  readonly #challenge: Uint8Array = randomBytes(challengeBytes);
  #stage: Stage = { kind: "reads" };
  #exchanged: Exchanged & { seal: ExchangeSeal | null };
  /** Bytes received and not yet used. */
  #inbox: Buffer[] = [];
  #inboxBytes = 0;
  /** Bytes that the system has not accepted yet. */
  #outbox: Uint8Array[] = [];
  #activeAtMs = performance.now();

  constructor(socket: ServerSocket, hooks: ConnectionHooks) {
    this.address = socket.remoteAddress;
    this.#socket = socket;
    this.#hooks = hooks;
    this.#exchanged = { challenge: this.#challenge, session: "0".repeat(16), count: -1, seal: null };
    this.#outbox.push(greetingOf(this.#challenge));
    this.onDrain();
  }

  get waitingBytes(): number {
    return this.#inboxBytes;
  }

  /** Closes a connection that is idle, or whose requester does not read. */
  checkTime(nowMs: number): void {
    const stage = this.#stage;
    if (stage.kind === "answers") return;
    const waitMs = stage.kind === "refused" ? refusedMs : idleMs;
    const isLate = stage.kind === "sends" && nowMs >= stage.untilMs;
    if (isLate || nowMs - this.#activeAtMs >= waitMs) this.close();
  }

  close(): void {
    if (this.#stage.kind === "closed") return;
    this.#endReply();
    this.#stage = { kind: "closed" };
    this.#take(this.#inboxBytes);
    this.#outbox = [];
    this.#socket.terminate();
  }

  onData(data: Buffer): void {
    if (this.#stage.kind === "closed" || this.#stage.kind === "refused") return;
    // The time for a request begins with its first byte.
    if (this.#inboxBytes === 0) this.#activeAtMs = performance.now();
    this.#inbox.push(data);
    this.#inboxBytes += data.length;
    // A requester sends nothing while it waits for an answer.
    if (!this.#hooks.buffers(data.length, this) || this.#stage.kind === "answers") return this.close();
    this.#read();
  }

  /** Sends as much as the system accepts. */
  onDrain(): void {
    while (this.#stage.kind !== "closed") {
      const next = this.#outbox[0] ?? this.#nextPiece();
      if (next === null) return;
      const written = this.#socket.write(next);
      if (written < 0) return this.close();
      if (written > 0) this.#activeAtMs = performance.now();
      if (written < next.length) return void (this.#outbox[0] = next.subarray(written));
      this.#outbox.shift();
      freeBuffer(next);
    }
  }

  /** Seals the next piece of the answer; null: there is none. */
  #nextPiece(): Uint8Array | null {
    const stage = this.#stage;
    if (stage.kind !== "sends" || stage.isSent) return null;
    const { reply, at, index } = stage.sending;
    if (at >= reply.bytes.length) {
      stage.isSent = true;
      if (reply.isOwn) freeBuffer(reply.bytes);
      reply.onSent?.();
      return null;
    }
    const piece = reply.bytes.subarray(at, at + pieceBytes);
    stage.sending.at += piece.length;
    stage.sending.index++;
    const sealed = this.#exchanged.seal!.seal(contextOf(this.#exchanged, "piece", index), piece);
    this.#outbox.push(sealed);
    return sealed;
  }

  /** Uses complete messages of the inbox. */
  #read(): void {
    while (this.#stage.kind === "reads" || this.#stage.kind === "sends") {
      const head = this.#peek(lengthBytes);
      if (head === null) return;
      const length = uint32At(head, 0);
      if (this.#stage.kind === "sends") {
        // An acknowledgement before the end of the answer is one for nothing.
        if (length !== 0 || !this.#stage.isSent) return this.close();
        this.#endReply();
        this.#take(lengthBytes);
        this.#stage = { kind: "reads" };
        continue;
      }
      if (!isRequestLength(length)) return this.#refuse(answerBytes.refused);
      const message = this.#peek(lengthBytes + length);
      if (message === null) return;
      this.#take(lengthBytes + length);
      this.#onRequest(message.subarray(lengthBytes));
    }
  }

  #onRequest(message: Uint8Array): void {
    const { device, sealOf, answer, onError } = this.#hooks;
    const { session, sealed } = requestIn(message);
    const seal = sealOf(session, this.address);
    const count = this.#exchanged.count + 1;
    this.#exchanged = { challenge: this.#challenge, session, count, seal };
    if (seal === null) return this.#refuse(answerBytes.unknown);
    const opened = seal.open(contextOf(this.#exchanged, "request"), sealed);
    const request = opened && decodeRequest(opened);
    if (!request || request.to !== device) return this.#refuse(answerBytes.refused);
    this.isProved = true;
    this.#stage = { kind: "answers" };
    answer(session, request, this.address).then(
      (reply) => this.#reply(reply, seal),
      (error: unknown) => {
        onError(error);
        this.close();
      },
    );
  }

  #refuse(byte: number): void {
    this.#hooks.onRefused();
    this.#take(this.#inboxBytes);
    this.#activeAtMs = performance.now();
    this.#stage = { kind: "refused" };
    this.#socket.end(Uint8Array.of(byte));
  }

  #reply(reply: Reply, seal: ExchangeSeal): void {
    if (this.#stage.kind === "closed") {
      if (reply.status === "ok") reply.onEnded?.();
      return;
    }
    const nowMs = performance.now();
    const length = reply.status === "ok" ? reply.bytes.length : 0;
    const head = seal.seal(contextOf(this.#exchanged, "head"), headOf(statuses[reply.status], length));
    this.#outbox.push(Uint8Array.of(answerBytes.sealed), head);
    this.#activeAtMs = nowMs;
    this.#stage =
      reply.status === "ok"
        ? { kind: "sends", sending: { reply, at: 0, index: 0 }, isSent: false, untilMs: nowMs + answerMs }
        : { kind: "reads" };
    this.onDrain();
    this.#read();
  }

  #endReply(): void {
    if (this.#stage.kind !== "sends") return;
    const { reply } = this.#stage.sending;
    if (reply.isOwn && reply.bytes.length > 0) freeBuffer(reply.bytes);
    reply.onEnded?.();
  }

  /** Returns the first bytes of the inbox; null: they have not arrived. */
  #peek(length: number): Buffer | null {
    if (this.#inboxBytes < length) return null;
    if (this.#inbox[0]!.length < length) this.#inbox = [Buffer.concat(this.#inbox)];
    return this.#inbox[0]!.subarray(0, length);
  }

  #take(length: number): void {
    this.#hooks.buffers(-length, this);
    this.#inboxBytes -= length;
    const rest = this.#inboxBytes > 0 ? Buffer.concat(this.#inbox).subarray(length) : null;
    this.#inbox = rest ? [rest] : [];
  }
}
