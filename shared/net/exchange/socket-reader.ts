/**
 * Reads a TCP connection in parts of known lengths. Bytes that nobody asked for stay with the
 * system: the socket is paused while too many wait here.
 */
import type { Socket } from "node:net";

const waitingBytesMax = 1_048_576;

export class SocketReader {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #waitingBytes = 0;
  #wanted: { bytes: number; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | null = null;
  #failure: Error | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (part: Buffer) => {
      this.#parts.push(part);
      this.#waitingBytes += part.length;
      this.#deliver();
      if (this.#waitingBytes > waitingBytesMax) socket.pause();
    });
    socket.on("error", (error) => this.fail(error));
    socket.on("end", () => this.fail(new Error("the connection was closed")));
    socket.on("close", () => this.fail(new Error("the connection was closed")));
  }

  /** Whether bytes wait that were not asked for. */
  get hasWaiting(): boolean {
    return this.#waitingBytes > 0;
  }

  /** Makes reads fail that need more bytes than have arrived. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wanted?.reject(this.#failure);
    this.#wanted = null;
  }

  /**
   * Returns the next bytes, valid until the next read.
   * @throws Error when the connection ends before
   */
  read(bytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#wanted = { bytes, resolve, reject };
      this.#deliver();
      if (this.#wanted === null) return;
      if (this.#failure) return this.fail(this.#failure);
      this.#socket.resume();
    });
  }

  #deliver(): void {
    if (this.#wanted === null || this.#waitingBytes < this.#wanted.bytes) return;
    const { bytes, resolve } = this.#wanted;
    this.#wanted = null;
    this.#waitingBytes -= bytes;
    const first = this.#parts[0];
    if (first === undefined || first.length < bytes) {
      const all = Buffer.concat(this.#parts);
      this.#parts = all.length > bytes ? [all.subarray(bytes)] : [];
      return resolve(all.subarray(0, bytes));
    }
    if (first.length === bytes) this.#parts.shift();
    else this.#parts[0] = first.subarray(bytes);
    resolve(first.subarray(0, bytes));
  }
}
