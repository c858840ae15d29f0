/**
 * One connection of the LAN exchange on the side of the requester, and a pool of them. A connection
 * carries one request at a time; its challenge, which the server sends first, is used for all.
 */
import net from "node:net";
import { freeBuffer } from "../../model/free-buffer.ts";
import {
  acknowledgement,
  answerBytes,
  challengeIn,
  greetingBytes,
  headBytes,
  headIn,
  pieceBytes,
  requestMessage,
  statuses,
} from "./framing.ts";
import { encodeRequest, type ExchangeRequest } from "./messages.ts";
import { contextOf, sealBytes, type ExchangeSeal } from "./seal.ts";
import { SocketReader } from "./socket-reader.ts";

const timeoutMs = 10_000;
/** Time to connect: three attempts of TCP. On a LAN only a packet filter takes longer. */
const connectMs = 3_500;
/** Upper bound on a whole answer, however slowly it arrives: a 4 MiB chunk at 1.1 Mbit/s. */
const answerMsMax = 30_000;
/** Time that an unused connection stays open; the server closes it after twice as long. */
const unusedMs = 5_000;
/** Connections of a pool to one server. */
const connectionsMax = 4;

export type Answer =
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "not-found" }
  /** The device does not offer the package under this key. */
  | { readonly kind: "unknown" }
  | { readonly kind: "busy" }
  /** Not sealed with the key, or not for this request. */
  | { readonly kind: "wrong" }
  | { readonly kind: "failed"; readonly reason: string };

/** A request, and what is expected of its answer. */
export type Asked = {
  readonly session: string;
  readonly seal: ExchangeSeal;
  readonly request: ExchangeRequest;
  readonly bytesMax: number;
};
type To = { readonly address: string; readonly lanPort: number };

class Requester {
  readonly #socket: net.Socket;
  readonly #reader: SocketReader;
  #challenge: Uint8Array | null = null;
  #count = 0;
  /** Closes the connection when it was unused for a while. */
  #unused: ReturnType<typeof setTimeout> | null = null;

  constructor({ address, lanPort }: To) {
    const socket = net.connect({ host: address, port: lanPort, noDelay: true });
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
    const connecting = setTimeout(() => {
      if (socket.connecting) this.close(new Error(`no connection within ${connectMs} ms`));
    }, connectMs);
    socket.once("connect", () => clearTimeout(connecting));
    socket.once("close", () => clearTimeout(connecting));
    socket.setTimeout(timeoutMs, () => this.close(new Error(`no answer for ${timeoutMs} ms`)));
  }

  get isUsable(): boolean {
    return !this.#socket.destroyed && !this.#reader.hasWaiting;
  }

  close(why = new Error("the connection was closed")): void {
    if (this.#unused) clearTimeout(this.#unused);
    this.#reader.fail(why);
    this.#socket.destroy();
  }

  /** Waits for the next request; closes the connection if none comes. */
  rest(): void {
    this.#socket.setTimeout(0);
    this.#unused = setTimeout(() => this.close(), unusedMs);
  }

  /** Sends a request. Never rejects; the connection is closed unless the answer was complete. */
  async ask(asked: Asked): Promise<Answer> {
    if (this.#unused) clearTimeout(this.#unused);
    this.#socket.setTimeout(timeoutMs);
    const limit = setTimeout(
      () => this.close(new Error(`no whole answer within ${answerMsMax} ms`)),
      answerMsMax,
    );
    try {
      const answer = await this.#ask(asked);
      if (answer.kind === "wrong" || answer.kind === "failed") this.close();
      return answer;
    } catch (error) {
      this.close();
      return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
    } finally {
      clearTimeout(limit);
    }
  }

  async #ask({ session, seal, request, bytesMax }: Asked): Promise<Answer> {
    const reader = this.#reader;
    this.#challenge ??= challengeIn(await reader.read(greetingBytes));
    if (this.#challenge === null) return { kind: "failed", reason: "it has another version of the exchange" };
    const exchanged = { challenge: this.#challenge, session, count: this.#count++ };
    const sealed = seal.seal(contextOf(exchanged, "request"), encodeRequest(request));
    this.#socket.write(requestMessage(session, sealed));
    const first = (await reader.read(1))[0];
    if (first === answerBytes.unknown) {
      this.close();
      return { kind: "unknown" };
    }
    if (first !== answerBytes.sealed) return { kind: "failed", reason: "it refused the proof" };
    const head = seal.open(contextOf(exchanged, "head"), await reader.read(headBytes));
    if (head === null) return { kind: "wrong" };
    const { status, length } = headIn(head);
    if (status === statuses.notHeld) return { kind: "not-found" };
    if (status !== statuses.ok) return { kind: "busy" };
    if (length > bytesMax) return { kind: "failed", reason: "the answer is too long" };
    const bytes = new Uint8Array(length);
    for (let at = 0, index = 0; at < length; index++) {
      const plain = Math.min(pieceBytes, length - at);
      const piece = seal.open(contextOf(exchanged, "piece", index), await reader.read(plain + sealBytes));
      if (piece === null) return { kind: "wrong" };
      bytes.set(piece, at);
      freeBuffer(piece);
      at += plain;
    }
    this.#socket.write(acknowledgement);
    return { kind: "body", bytes };
  }
}

/** Connections to other devices that are used again. */
export class Requesters {
  readonly #pools = new Map<string, { open: number; unused: Requester[]; waiting: (() => void)[] }>();
  readonly #open = new Set<Requester>();
  #isClosed = false;

  /** Sends a request. Never rejects. */
  async ask(to: To, asked: Asked): Promise<Answer> {
    const pool = this.#poolOf(to);
    while (pool.open >= connectionsMax && !this.#isClosed)
      await new Promise<void>((resolve) => pool.waiting.push(resolve));
    if (this.#isClosed) return { kind: "failed", reason: "the connection was closed" };
    pool.open++;
    const used = pool.unused.pop();
    const requester = used?.isUsable ? used : new Requester(to);
    if (used !== requester) used?.close();
    this.#open.add(requester);
    const answer = await requester.ask(asked);
    pool.open--;
    if (requester.isUsable && !this.#isClosed) {
      pool.unused.push(requester);
      requester.rest();
    } else {
      requester.close();
      this.#open.delete(requester);
    }
    pool.waiting.shift()?.();
    this.#forgetIdle(to);
    return answer;
  }

  /** Ends all requests. */
  close(): void {
    this.#isClosed = true;
    for (const requester of this.#open) requester.close();
    for (const { waiting } of this.#pools.values()) for (const resume of waiting.splice(0)) resume();
    this.#open.clear();
    this.#pools.clear();
  }

  #poolOf({ address, lanPort }: To) {
    const name = `${address} ${lanPort}`;
    const pool = this.#pools.get(name) ?? { open: 0, unused: [], waiting: [] };
    this.#pools.set(name, pool);
    return pool;
  }

  #forgetIdle({ address, lanPort }: To): void {
    const name = `${address} ${lanPort}`;
    const pool = this.#pools.get(name);
    if (!pool) return;
    pool.unused = pool.unused.filter((one) => {
      if (!one.isUsable) this.#open.delete(one);
      return one.isUsable;
    });
    if (pool.open === 0 && pool.unused.length === 0 && pool.waiting.length === 0) this.#pools.delete(name);
  }
}
