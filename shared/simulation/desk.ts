/** From symbols to verified chunks, as `shared/device/chunk-receiver.ts`: real reception, erasure code and cipher. */
import { Reassembly } from "../core/reassembly/reassembly.ts";
import { UntrustedSenders } from "../core/reassembly/untrusted-senders.ts";
import { createErasureCode } from "../fec/index.ts";
import type { ReceivedSymbol } from "../wire/index.ts";
import type { Session } from "./session.ts";

const code = createErasureCode();
/** Half-received chunks in memory. */
export const receptionBytesMax = 1 << 20;

export class Desk {
  readonly reception: Reassembly;
  readonly suspects = new UntrustedSenders();
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
    const { content, options } = session.env;
    this.reception = new Reassembly({
      chunkLengthBytes: (chunk) => content.lengthOf(chunk),
      symbolSizeBytes: options.symbolBytes,
      code,
      memoryBytesMax: receptionBytesMax,
    });
  }

  /** False: it is as good as lost. */
  accept({ chunk, block, symbol, payload, sender }: ReceivedSymbol): boolean {
    const { verified } = this.#session.life.store;
    if (chunk >= verified.size || verified.has(chunk)) return true;
    if (!this.suspects.accepts(chunk, sender)) return sender === this.suspects.leader;
    if (this.reception.addSymbol(chunk, block, symbol, payload, sender) === "ready") this.#finish(chunk);
    return true;
  }

  lacksOf(chunk: number, add: (block: number, count: number) => void): boolean {
    return this.suspects.isHopeless(chunk) || this.reception.missingSymbols(chunk, add);
  }

  #finish(chunk: number): void {
    const sender = this.reception.senderOf(chunk);
    const encrypted = this.reception.take(chunk);
    if (!encrypted) return;
    const { life } = this.#session;
    const outcome = life.write(chunk, life.voice.chunkCipher(chunk, encrypted), "multicast");
    if (outcome === "stored") this.#session.stored(chunk);
    else if (outcome === "wrong-digest") {
      this.suspects.wrong(chunk, sender);
      this.#session.wrong(sender);
    }
  }
}
