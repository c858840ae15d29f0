/** From symbols to verified chunks, as `shared/agent/reception-desk.ts`: real reception, erasure code and cipher. */
import { Reception } from "../core/reception.ts";
import { createErasureCode } from "../fec/index.ts";
import type { ReceivedSymbol } from "../wire/index.ts";
import type { Session } from "./session.ts";

const code = createErasureCode();
/** Half-received chunks in memory. */
export const receptionBytesMax = 1 << 20;

export class Desk {
  readonly reception: Reception;
  wrongDigests = 0;
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
    const { content, options } = session.env;
    this.reception = new Reception({
      chunkLengthBytes: (chunk) => content.lengthOf(chunk),
      symbolSizeBytes: options.symbolBytes,
      code,
      memoryBytesMax: receptionBytesMax,
    });
  }

  accept({ chunk, block, symbol, payload }: ReceivedSymbol): void {
    const { verified } = this.#session.life.store;
    if (chunk >= verified.size || verified.has(chunk)) return;
    if (this.reception.place(chunk, block, symbol, payload) === "ready") this.#finish(chunk);
  }

  #finish(chunk: number): void {
    const encrypted = this.reception.take(chunk);
    if (!encrypted) return;
    const { life } = this.#session;
    const outcome = life.write(chunk, life.voice.chunkCipher(chunk, encrypted), "multicast");
    if (outcome === "stored") this.#session.stored(chunk);
    else if (outcome === "wrong-digest") this.wrongDigests++;
  }
}
