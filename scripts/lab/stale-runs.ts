/**
 * Records of lab runs, and removal of stale ones. A running lab has a record with its process and
 * its folder. A later run removes what a run that ended without cleanup (SIGKILL, power) left, and
 * touches nothing of a running one.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { namespaces, removeNamespace } from "./namespace.ts";
import { unmountBelow } from "./small-disk.ts";

const recordsFolder = "/run/flockcast-lab";
const recordSchema = v.object({ pid: v.number(), started: v.string(), folder: v.string() });

/**
 * Start time of a process in clock ticks, null without one. Tells processes with a reused id apart.
 */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null);
}

/** Records this process and the run's folder, so that a later run can remove what is left. */
export async function writeRunRecord(runId: string, folder: string): Promise<void> {
  await mkdir(recordsFolder, { recursive: true });
  const record = { pid: process.pid, started: (await startTimeOf(process.pid)) ?? "", folder };
  await writeFile(join(recordsFolder, `${runId}.json`), JSON.stringify(record));
}

export const removeRunRecord = (runId: string): Promise<void> =>
  rm(join(recordsFolder, `${runId}.json`), { force: true });

/** Removes the namespaces, mounts and folders of stale runs; returns the ids of these runs. */
export async function removeStaleRuns(): Promise<string[]> {
  const removed: string[] = [];
  const records = await readdir(recordsFolder).catch(() => []);
  for (const file of records) {
    const text = await readFile(join(recordsFolder, file), "utf8").catch(() => "");
    const record = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
    if (!record.success) continue;
    if ((await startTimeOf(record.output.pid)) === record.output.started) continue;
    const runId = file.replace(/\.json$/, "");
    for (const name of await namespaces()) if (name.startsWith(`${runId}-`)) await removeNamespace(name);
    await unmountBelow(record.output.folder);
    await rm(record.output.folder, { recursive: true, force: true });
    await removeRunRecord(runId);
    removed.push(runId);
  }
  return removed;
}
