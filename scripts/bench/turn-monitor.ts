/**
 * Preloaded into the programs of `bench files`: measures the turns of their event loop. The file
 * TURNS_FILE has one line for each turn that took long: time since 1970 and duration, ms.
 */
import { appendFileSync, readFileSync } from "node:fs";

const file = process.env["TURNS_FILE"];
const tickMs = 5;
const longTurnMs = 50;

/** Returns the time for which this thread was ready to run and had no processor, ms. */
const waitedMs = (): number =>
  Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[1]) / 1e6;

if (file !== undefined) {
  let lastMs = performance.now();
  let lastWaitedMs = waitedMs();
  const timer = setInterval(() => {
    const [nowMs, nowWaitedMs] = [performance.now(), waitedMs()];
    const turnMs = nowMs - lastMs - tickMs - (nowWaitedMs - lastWaitedMs);
    if (turnMs > longTurnMs) appendFileSync(file, `${Date.now()} ${Math.round(turnMs)}\n`);
    lastMs = performance.now();
    lastWaitedMs = waitedMs();
  }, tickMs);
  timer.unref();
}
