/** Plain connections to an exchange server, for tests: one by hand, and one that records. */
import net from "node:net";
import { SocketReader } from "./socket-reader.ts";

export class RawConnection {
  readonly #socket: net.Socket;
  readonly #reader: SocketReader;

  static async open(port: number): Promise<RawConnection> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    const connection = new RawConnection(socket);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return connection;
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  read(bytes: number): Promise<Buffer> {
    return this.#reader.read(bytes);
  }

  /** Returns the bytes until the other side ends the connection. */
  async readAll(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const part = await this.#reader.read(1).catch(() => null);
      if (part === null) break;
      parts.push(Buffer.from(part));
    }
    this.close();
    return Buffer.concat(parts);
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Forwards connections to a server, and records what the requesters send. */
export class Recorder {
  /** Bytes of the requesters, by connection. */
  readonly recorded: Buffer[][] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  static async before(port: number): Promise<Recorder> {
    const recorder = new Recorder(port);
    await new Promise<void>((resolve) => recorder.#server.listen(0, "127.0.0.1", resolve));
    return recorder;
  }

  private constructor(port: number) {
    this.#server = net.createServer((socket) => {
      const record: Buffer[] = [];
      this.recorded.push(record);
      const onwards = net.connect({ host: "127.0.0.1", port });
      for (const each of [socket, onwards]) {
        this.#sockets.add(each);
        each.on("error", () => {});
      }
      socket.on("data", (data) => record.push(Buffer.from(data)));
      socket.pipe(onwards).pipe(socket);
    });
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
