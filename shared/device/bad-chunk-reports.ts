/**
 * Devices that sent wrong chunks for a task, counted by the address of the bytes and by the device
 * id that the sender states. Every holder of the task's key can state another's id, so a person has
 * to go by the address.
 */
import { type WrongSender, wrongSendersMax } from "../api/schema/common.ts";

export class BadChunkReports {
  readonly #senders = new Map<string, WrongSender>();

  /** @param deviceId null: the sender stated none */
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
