/**
 * Load of the machine's processors during a measurement, from /proc/stat (Linux). The host of a
 * virtual machine may give processor time to other guests and reports it as "steal". Without this
 * figure a slow host looks like a slow program.
 */
import { readFile } from "node:fs/promises";
import { ratioOf } from "../rig/figures.ts";

/** Ticks of all processors since the machine's start. */
type ProcessorTicks = { readonly busy: number; readonly stolen: number; readonly all: number };
/** Shares of the time of all processors together, 0 … 1; null when no time passed. */
export type ProcessorShares = { readonly busy: number | null; readonly stolen: number | null };

/** @param text content of /proc/stat; proc(5) names the fields of its first line */
export function ticksOf(text: string): ProcessorTicks {
  const fields = /^cpu +(.*)$/m.exec(text)?.[1]?.split(" ").map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, stolen = 0] = fields;
  const busy = user + nice + system + irq + softirq;
  return { busy, stolen, all: busy + stolen + idle + waiting };
}

export const readTicks = async (): Promise<ProcessorTicks> => ticksOf(await readFile("/proc/stat", "utf8"));

export function sharesBetween(before: ProcessorTicks, after: ProcessorTicks): ProcessorShares {
  const all = after.all - before.all;
  return {
    busy: ratioOf(after.busy - before.busy, all),
    stolen: ratioOf(after.stolen - before.stolen, all),
  };
}
