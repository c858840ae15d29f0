/**
 * Every lab run leaves a note while it lives: who it is and what it made. A later run removes what runs that died
 * without tidying (SIGKILL, power) left behind, and touches nothing of one that lives.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { namespaces, removeNamespace } from "./namespace.ts";
import { unmountBelow } from "./small-disk.ts";

const recordsFolder = "/run/flockcast-lab";
const recordSchema = v.object({ pid: v.number(), started: v.string(), folder: v.string() });

/** Start time of a process in clock ticks: with the id it names one process, also after ids were used again. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null);
}

export async function writeRunRecord(runId: string, folder: string): Promise<void> {
  await mkdir(recordsFolder, { recursive: true });
  const note = { pid: process.pid, started: (await startTimeOf(process.pid)) ?? "", folder };
  await writeFile(join(recordsFolder, `${runId}.json`), JSON.stringify(note));
}

export const removeRunRecord = (runId: string): Promise<void> =>
  rm(join(recordsFolder, `${runId}.json`), { force: true });

/** Answers the ids of the dead runs whose leftovers were removed. */
export async function removeStaleRuns(): Promise<string[]> {
  const swept: string[] = [];
  const notes = await readdir(recordsFolder).catch(() => []);
  for (const file of notes) {
    const text = await readFile(join(recordsFolder, file), "utf8").catch(() => "");
    const note = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
    if (!note.success) continue;
    if ((await startTimeOf(note.output.pid)) === note.output.started) continue;
    const runId = file.replace(/\.json$/, "");
    for (const name of await namespaces()) if (name.startsWith(`${runId}-`)) await removeNamespace(name);
    await unmountBelow(note.output.folder);
    await rm(note.output.folder, { recursive: true, force: true });
    await removeRunRecord(runId);
    swept.push(runId);
  }
  return swept;
}
