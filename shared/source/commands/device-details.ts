/** Commands `device history|cache|log`: events, cached packages, and the end of the log. */
import type { AdminClient } from "../../api/agent-client.ts";
import type { DeviceLog } from "../../api/schema/device-detail.ts";
import { eventText } from "../../model/device-event.ts";
import { formatSize, parseDurationMs } from "../../model/quantity.ts";
import { printLines, printNote } from "../../standard-output.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";

export async function showDeviceHistory(words: string, options: ListOptions): Promise<void> {
  const { events } = await (await connect(options)).deviceHistory(words);
  const rows = events.map(({ atMs, event }) => Object.assign({ atMs, text: eventText(event) }, event));
  if (options.json) return printJson(rows);
  const texts = rows.map(({ atMs, kind, text }) => ({ atMs, kind, text }));
  if (printedAs(options, texts)) return;
  if (rows.length === 0) return print("nothing is known of the device");
  printTable(
    ["TIME", "EVENT"],
    texts.map(({ atMs, text }) => [formatTime(atMs), text]),
  );
}

export async function listDeviceCache(words: string, options: ListOptions): Promise<void> {
  const { statedAtMs, packages } = await (await connect(options)).deviceCache(words);
  if (printedAs(options, packages)) return;
  if (statedAtMs === null) return print("the device has not checked in");
  if (packages.length === 0) return print(`the cache is empty, as of ${formatTime(statedAtMs)}`);
  printTable(
    ["PACKAGE", "STATE", "STORED", "OF", "LAST USED", "ID"],
    packages.map((held) => [
      `${held.name}@${held.version}`,
      held.complete ? "complete" : "partial",
      formatSize(held.storedBytes),
      formatSize(held.totalBytes),
      formatTime(held.lastUsedAtMs),
      held.packageId.slice(0, 12),
    ]),
  );
  print(`as of ${formatTime(statedAtMs)}`);
}

type LogOptions = JsonOptions & { readonly last?: true | undefined; readonly wait?: string | undefined };
const pollMs = 500;

/** Asks the device for the end of its log, and waits for it. */
export async function showDeviceLog(words: string, options: LogOptions): Promise<void> {
  const waitMs = usage(() => parseDurationMs(options.wait ?? "60s"));
  const client = await connect(options);
  const { id, connected } = await client.device(words);
  const log = options.last ? await client.deviceLog(id) : await askAndWait(client, id, waitMs);
  if (options.json) printJson({ deviceId: id, ...log });
  else if (log.state === "taken") {
    printNote(`log of ${id}, taken ${formatTime(log.takenAtMs!)}`);
    printLines(log.lines);
  }
  if (log.state === "taken") return;
  throw new CommandError(problemOf(log, id, connected));
}

/** Polls the source, as the device answers after its next check-in. */
async function askAndWait(client: AdminClient, id: string, waitMs: number): Promise<DeviceLog> {
  const endMs = performance.now() + waitMs;
  for (let log = await client.askForLog(id); ; log = await client.deviceLog(id)) {
    if (log.state !== "waiting" || performance.now() >= endMs) return log;
    await Bun.sleep(pollMs);
  }
}

function problemOf({ state }: DeviceLog, id: string, isConnected: boolean): string {
  if (state === "refused") return `The setting of device ${id} keeps its log from being read: shareLog=false`;
  if (state === "none") return `The source has no log of device ${id}: leave --last out to ask for it`;
  const why = isConnected ? "has not answered yet" : "is not connected";
  return `Device ${id} ${why}: it sends its log at its next contact, and device log ${id} --last shows it then`;
}
