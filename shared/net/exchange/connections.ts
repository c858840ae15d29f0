/**
 * Open connections of the LAN exchange, bounded in number. Connections that have proved nothing
 * make room for others, so that a program without keys cannot keep devices out.
 */
import { isLoopback } from "./uploads.ts";

/** A device has four for a package. */
const connectionsMax = 256;
const connectionsOfAddressMax = 32;

type Connection = { readonly address: string; readonly isProved: boolean; close(): void };

export class Connections<T extends Connection> {
  /** The oldest first. */
  readonly #open = new Set<T>();

  get count(): number {
    return this.#open.size;
  }

  /** Whether there is room for a connection from this address; may close an unproved one. */
  admits(address: string): boolean {
    const ofAddress = [...this.#open].filter((one) => one.address === address).length;
    if (ofAddress >= connectionsOfAddressMax && !isLoopback(address)) return false;
    if (this.#open.size < connectionsMax) return true;
    const unproved = this.#open.values().find(({ isProved }) => !isProved);
    if (unproved) this.close(unproved);
    return unproved !== undefined;
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
