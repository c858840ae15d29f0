/**
 * Preloaded into the programs of `bench files`: measures the turns of their event loop. The file
 * TURNS_FILE has one line for each turn that took long: time since 1970, duration, and processor
 * time of the thread meanwhile, ms. The rest of the duration is waiting for the disk.
 */
import { appendFileSync, readFileSync } from "node:fs";

const file = process.env["TURNS_FILE"];
const tickMs = 5;
const longTurnMs = 50;

/** Returns the times for which this thread had a processor, and waited for one; ms. */
function threadTimes(): { ranMs: number; waitedMs: number } {
  const [ran, waited] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
}

if (file !== undefined) {
  let [lastMs, last] = [performance.now(), threadTimes()];
  const timer = setInterval(() => {
    const [nowMs, now] = [performance.now(), threadTimes()];
    // Other programs of a busy machine do not count.
    const turnMs = nowMs - lastMs - tickMs - (now.waitedMs - last.waitedMs);
    const line = [Date.now(), turnMs, now.ranMs - last.ranMs].map(Math.round).join(" ");
    if (turnMs > longTurnMs) appendFileSync(file, `${line}\n`);
    [lastMs, last] = [performance.now(), threadTimes()];
  }, tickMs);
  timer.unref();
}
