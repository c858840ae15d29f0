/**
 * Open connections of the LAN exchange, bounded in number. Connections that have proved nothing
 * make room for others, so that a program without keys cannot keep devices out.
 */
import { isLoopback } from "./uploads.ts";

/** A device has four for a package. */
const connectionsMax = 256;
const connectionsOfAddressMax = 32;

type Connection = {
  readonly address: string;
  readonly isProved: boolean;
  /** Bytes of a request that has not arrived as a whole. */
  readonly waitingBytes: number;
  close(): void;
};

export class Connections<T extends Connection> {
  /** The oldest first. */
  readonly #open = new Set<T>();

  get count(): number {
    return this.#open.size;
  }

  /** Whether there is room for a connection from this address; may close an unproved one. */
  admits(address: string): boolean {
    const ofAddress = [...this.#open].filter((one) => one.address === address);
    if (ofAddress.length >= connectionsOfAddressMax && !isLoopback(address))
      return this.#closeUnproved(ofAddress);
    return this.#open.size < connectionsMax || this.#closeUnproved([...this.#open]);
  }

  /** Closes the oldest one that proved nothing. Returns false if there is none. */
  #closeUnproved(connections: readonly T[]): boolean {
    const unproved = connections.find(({ isProved }) => !isProved);
    if (unproved) this.close(unproved);
    return unproved !== undefined;
  }

  /**
   * Closes the oldest connection whose request has not arrived as a whole, first of those that
   * proved nothing. A device's own requests arrive at once.
   * @returns false if no other connection has one
   */
  dropWaiting(except: T): boolean {
    const waiting = [...this.#open].filter((one) => one !== except && one.waitingBytes > 0);
    const dropped = waiting.find(({ isProved }) => !isProved) ?? waiting[0];
    if (dropped) this.close(dropped);
    return dropped !== undefined;
  }

  add(connection: T): void {
    this.#open.add(connection);
  }

  close(connection: T): void {
    this.#open.delete(connection);
    connection.close();
  }

  closeAll(): void {
    for (const connection of this.#open) this.close(connection);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#open.values();
  }
}
