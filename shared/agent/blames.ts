/**
 * Who gave this device wrong chunks for a task: counted by the address that the bytes came from. The device at it is the
 * one that said so; whoever holds the task's key can speak in another's name, so the address goes first.
 */
import type { WrongSender } from "../control/schema.ts";
import { wrongSendersMax } from "../control/schema.ts";

export class Blames {
  readonly #byAddress = new Map<string, WrongSender>();

  /** @param deviceId null: it never said */
  note(address: string, deviceId: string | null): void {
    const known = this.#byAddress.get(address);
    if (!known && this.#byAddress.size >= wrongSendersMax) return;
    this.#byAddress.set(address, {
      address,
      deviceId: deviceId ?? known?.deviceId ?? null,
      chunks: (known?.chunks ?? 0) + 1,
    });
  }

  list(): WrongSender[] {
    return [...this.#byAddress.values()];
  }
}
