/**
 * The WAN download of a simulated representative: one chunk after the other from a web site that may be down, slow,
 * broken, or behind a proxy that spoils what passes. It ends as `shared/net/web/download.ts` does: nothing left, or so many
 * attempts without progress, or the same chunk wrong twice.
 */
import { backoffMs } from "../model/backoff.ts";
import { downloadBackoff } from "../device/download-pace.ts";
import type { Session } from "./session.ts";

const attemptsMax = 8;
const connectMs = 40;
const unwantedPauseMs = 100;

export class Download {
  bytes = 0;
  /** World time at which it began; null while it does not run. */
  sinceMs: number | null = null;
  readonly #session: Session;
  #run = 0;
  #failures = 0;
  readonly #wrong = new Map<number, number>();

  constructor(session: Session) {
    this.#session = session;
  }

  start(): void {
    if (this.sinceMs !== null) return;
    this.sinceMs = this.#session.env.clock.nowMs;
    this.#failures = 0;
    this.#wrong.clear();
    this.#session.life.talk?.wanBegan();
    this.#later(connectMs, () => this.#next());
  }

  stop(): void {
    this.#run++;
    if (this.sinceMs !== null) this.#session.life.talk?.wanEnded();
    this.sinceMs = null;
  }

  #later(delayMs: number, work: () => void): void {
    const run = this.#run;
    this.#session.machine.after(delayMs, () => {
      if (run === this.#run) work();
    });
  }

  #end(failure: string | null): void {
    this.stop();
    this.#session.step({ type: "DownloadEnded", failure });
  }

  get #webState() {
    const { env, machine } = this.#session;
    return machine.subnet === 0 || env.source.cutOff.has(machine.subnet) ? "down" : env.source.web;
  }

  #next(): void {
    const { member, machine, env } = this.#session;
    const run = member.nextDownloadRun(machine.nowMs);
    if (!run) return this.#end(null);
    const chunk = run.first;
    if (!member.wantsDownload(chunk, machine.nowMs)) return this.#later(unwantedPauseMs, () => this.#next());
    const state = this.#webState;
    if (state === "down" || state === "errors") return this.#failed(`the web site is ${state}`);
    const slowness = state === "slow" ? 8 : 1;
    const takesMs = (env.content.lengthOf(chunk) * 8_000 * slowness) / env.options.wanRateBps;
    env.checks.wanBegins(this.#session, chunk);
    this.#later(takesMs, () => this.#received(chunk));
  }

  #received(chunk: number): void {
    const { env, machine, life } = this.#session;
    const state = this.#webState;
    if (state === "down" || state === "errors") return this.#failed("the connection broke");
    let bytes = env.content.bytesOf(chunk);
    this.bytes += bytes.length;
    if (state === "wrong") {
      bytes = bytes.slice();
      bytes[machine.random.whole(0, bytes.length - 1)]! ^= 0x10;
    }
    env.checks.wanReceived(this.#session, chunk);
    const outcome = life.write(chunk, bytes, "wan");
    if (outcome === "wrong-digest") return this.#wrongBytes(chunk);
    if (outcome === "stored") {
      this.#failures = 0;
      this.#session.stored(chunk);
    }
    if (outcome !== "failed") this.#later(0, () => this.#next());
  }

  #wrongBytes(chunk: number): void {
    const count = (this.#wrong.get(chunk) ?? 0) + 1;
    this.#wrong.set(chunk, count);
    if (count >= 2) return this.#end(`chunk ${chunk} does not match the manifest, twice`);
    this.#failed(`chunk ${chunk} does not match the manifest`);
  }

  #failed(reason: string): void {
    if (++this.#failures >= attemptsMax)
      return this.#end(`gave up after ${attemptsMax} attempts without progress: ${reason}`);
    const { random } = this.#session.machine;
    this.#later(backoffMs(downloadBackoff, this.#failures - 1, random.next), () => this.#next());
  }
}
