/**
 * Who gave this device wrong chunks for a task: counted by the address that the bytes came from and the device that it
 * says it is. Whoever holds the task's key can speak in another's name, so it is the address that counts for a person.
 */
import { type WrongSender, wrongSendersMax } from "../api/schema/common.ts";

export class BadChunkReports {
  readonly #senders = new Map<string, WrongSender>();

  /** @param deviceId null: it never said */
  add(address: string, deviceId: string | null): void {
    const key = `${address} ${deviceId}`;
    const known = this.#senders.get(key);
    if (!known && this.#senders.size >= wrongSendersMax) return;
    this.#senders.set(key, { address, deviceId, chunks: (known?.chunks ?? 0) + 1 });
  }

  list(): WrongSender[] {
    return [...this.#senders.values()];
  }
}
