/**
 * Simulated web site: serves ranges of the package at a fixed rate. It may refuse connections, be
 * slow, answer with errors, send nothing, ignore ranges, or deliver wrong bytes. A fault also
 * breaks downloads that have begun.
 */
import { sleep } from "../model/clock.ts";
import { WebProblem } from "../net/web/problem.ts";
import type { RangeRequest, Web, WebStream } from "../net/web/web.ts";
import type { Context } from "./context.ts";
import type { Machine, ProcessClock } from "./machine.ts";
import { goneUrl, type WebState } from "./source.ts";

const connectMs = 40;
/** Factor by which a slow site is slower. */
const slowFactor = 8;

/** Web port of one process. */
export class SimulatedWeb implements Web {
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #clock: ProcessClock;
  /** World time of the request for each chunk whose last byte has not arrived. */
  readonly #requestedAtMs = new Map<number, number>();

  constructor(context: Context, machine: Machine, clock: ProcessClock) {
    this.#context = context;
    this.#machine = machine;
    this.#clock = clock;
  }

  get state(): WebState {
    const { source } = this.#context;
    const { subnet } = this.#machine;
    return subnet === 0 || source.cutOff.has(subnet) ? "down" : source.web;
  }

  async open({ location, useRange, stallMs, signal }: RangeRequest): Promise<WebStream> {
    await sleep(this.#clock, connectMs, signal);
    await this.#assertAnswers(stallMs, signal);
    if (location.url === goneUrl) throw new WebProblem("final", `${goneUrl} answered 404`);
    const ignoresRange = !useRange || this.#context.options.webIgnoresRange;
    const start = ignoresRange ? 0 : location.start;
    const end = ignoresRange ? location.sizeBytes : location.end;
    return new SimulatedStream({
      url: location.url,
      start,
      end,
      ignoresRange,
      piece: (position) => this.#piece(position, end, stallMs, signal),
    });
  }

  async #assertAnswers(stallMs: number, signal: AbortSignal): Promise<void> {
    const { state } = this;
    if (state === "down") throw new WebProblem("again", "the web site refuses connections");
    if (state === "errors") throw new WebProblem("again", "the web site answered 500");
    if (state !== "silent") return;
    await sleep(this.#clock, stallMs, signal);
    throw new WebProblem("again", `the web site sent nothing for ${stallMs} ms`);
  }

  /** Returns the next bytes of the stream after their transfer time, at most to a chunk's end. */
  async #piece(position: number, end: number, stallMs: number, signal: AbortSignal): Promise<Uint8Array> {
    const { package: published, options, observer, clock } = this.#context;
    const chunk = published.chunkAt(position);
    const chunkEnd = published.offsetOf(chunk) + published.lengthOf(chunk);
    const length = Math.min(end, chunkEnd) - position;
    if (!this.#requestedAtMs.has(chunk)) {
      this.#requestedAtMs.set(chunk, clock.nowMs);
      observer.requestsChunk(this.#machine);
    }
    const rateBps = options.wanRateBps / (this.state === "slow" ? slowFactor : 1);
    await sleep(this.#clock, (length * 8_000) / rateBps, signal);
    await this.#assertAnswers(stallMs, signal);
    let bytes = published.bytesAt(position, length);
    if (this.state === "wrong") {
      bytes = bytes.slice();
      bytes[this.#machine.random.whole(0, length - 1)]! ^= 0x10;
    }
    if (position + length === chunkEnd) {
      observer.receivedChunk(this.#machine, chunk, this.#requestedAtMs.get(chunk)!);
      this.#requestedAtMs.delete(chunk);
    }
    return bytes;
  }
}

type StreamOptions = {
  readonly url: string;
  readonly start: number;
  readonly end: number;
  readonly ignoresRange: boolean;
  readonly piece: (position: number) => Promise<Uint8Array>;
};

class SimulatedStream implements WebStream {
  readonly url: string;
  readonly answer: WebStream["answer"];
  position: number;
  readonly #piece: StreamOptions["piece"];
  #rest = new Uint8Array(0);

  constructor({ url, start, end, ignoresRange, piece }: StreamOptions) {
    this.url = url;
    this.position = start;
    this.#piece = piece;
    const validator = { etag: '"1"', lastModified: null };
    this.answer = { position: start, end, validator, ignoresRange, change: null };
  }

  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  async read(max: number, onBytes: (count: number) => void): Promise<Uint8Array | null> {
    if (this.#rest.length === 0) {
      if (this.position >= this.answer.end) return null;
      this.#rest = new Uint8Array(await this.#piece(this.position));
      onBytes(this.#rest.length);
    }
    const bytes = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  async finish(): Promise<void> {}

  close(): void {}
}
