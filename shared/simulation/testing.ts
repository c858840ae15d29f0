/**
 * Parts of the simulated world for tests of single mechanisms: a clock that a test moves, and files
 * on a simulated disk. Tests of whole worlds use world.ts.
 */
import { CacheFolder } from "../cache/cache-folder.ts";
import type { CacheEvent, CacheLog } from "../cache/cache-error.ts";
import type { Clock } from "../model/clock.ts";
import { VirtualClock } from "./clock.ts";
import { Disk } from "./disk.ts";
import { MemoryLedger } from "./ledger.ts";
import { Random } from "./random.ts";

/** Clock that stands still until a test moves it. Its wall clock began in 1970. */
export class TestClock implements Clock {
  readonly #time = new VirtualClock();
  /** Number of timers that neither ran nor were cancelled. */
  waiting = 0;

  nowMs(): number {
    return this.#time.nowMs;
  }

  wallMs(): number {
    return this.#time.nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    let isWaiting = true;
    this.waiting++;
    const end = (): boolean => {
      const ends = isWaiting;
      if (ends) this.waiting--;
      isWaiting = false;
      return ends;
    };
    this.#time.at(delayMs, () => {
      if (end()) run();
    });
    return () => void end();
  }

  /** Runs the timers of the next `ms` milliseconds, each with every promise reaction after it. */
  advance(ms: number): void {
    this.#time.run(ms, () => false);
  }
}

/** Data folder of the simulated cache. */
const dataFolder = "/data";

/** Creates a disk with its files, folders and ledger as the cache uses them; syncs take no time. */
export function simulatedCache() {
  const disk = new Disk();
  const files = disk.filesFor({ sleep: async () => {}, random: new Random(1, "disk") });
  const clock = new TestClock();
  const isFull = { ledger: false };
  const ledger = new MemoryLedger(
    () => isFull.ledger,
    () => clock.wallMs(),
  );
  const folder = new CacheFolder(files, dataFolder);
  const events: CacheEvent["event"][] = [];
  const log: CacheLog = ({ event }) => void events.push(event);
  return { disk, files, clock, ledger, folder, log, events, isFull };
}
