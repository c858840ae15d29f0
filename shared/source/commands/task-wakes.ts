/** Command `task wakes`: devices that were to be woken for a task, by whom, and the result. */
import { reasonsText } from "../../model/reason.ts";
import { connect, type ListOptions } from "./connect.ts";
import { hostText } from "./host-text.ts";
import { formatTime, print, printedAs, printTable } from "./print.ts";
import { parseTaskId } from "./tasks.ts";

const timeText = (atMs: number | null): string => (atMs === null ? "-" : formatTime(atMs));

export async function listTaskWakes(id: string, options: ListOptions): Promise<void> {
  const taskId = parseTaskId(id);
  const wakes = await (await connect(options)).taskWakes(taskId);
  const withWords = wakes.map((wake) => Object.assign({}, wake, { reason: reasonsText(wake.reasons) }));
  if (printedAs(options, withWords)) return;
  if (wakes.length === 0) return print(`task ${taskId} has woken no device`);
  printTable(
    ["DEVICE", "HOST", "SUBNET", "ATTEMPTS", "ASKED", "WOKEN BY", "AWAKE", "RESULT"],
    withWords.map((wake) => [
      wake.deviceId,
      hostText(wake),
      wake.subnetId ?? "-",
      String(wake.attempts),
      timeText(wake.askedAtMs),
      wake.wakers
        .filter(({ sent }) => sent)
        .map(({ hostname }) => hostname)
        .join(", ") || "-",
      timeText(wake.wokeAtMs),
      wake.reason,
    ]),
  );
}
