/**
 * CPU time and memory of processes, sampled from /proc so that killed processes are counted too.
 */
import { readFile } from "node:fs/promises";

/** USER_HZ: 100 on every Linux that Bun runs on. */
const ticksPerSecond = 100;

export type Usage = { readonly cpuSeconds: number; readonly peakBytes: number };
export type UsageMeter = {
  readonly sample: (name: string, pid: number) => Promise<void>;
  /** Sum of the CPU time and maximum of the memory of all processes sampled under the name. */
  readonly of: (name: string) => Usage;
};

/** Usage of a running process and the children that it waited for; null when it has exited. */
export async function readUsage(pid: number): Promise<Usage | null> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    // The command's name may contain blanks: fields are counted from behind its closing bracket,
    // where the first one is the third of proc(5), the state.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
    return {
      cpuSeconds: fields.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) / ticksPerSecond,
      peakBytes: Number(peak ?? 0) * 1_024,
    };
  } catch {
    return null;
  }
}

export function createUsageMeter(): UsageMeter {
  const seen = new Map<string, Map<number, Usage>>();
  return {
    sample: async (name, pid) => {
      const usage = await readUsage(pid);
      if (!usage || usage.peakBytes === 0) return;
      const byPid = seen.get(name) ?? new Map<number, Usage>();
      seen.set(name, byPid.set(pid, usage));
    },
    of: (name) => {
      const all = [...(seen.get(name)?.values() ?? [])];
      return {
        cpuSeconds: all.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0),
        peakBytes: Math.max(0, ...all.map(({ peakBytes }) => peakBytes)),
      };
    },
  };
}
