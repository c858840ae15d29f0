/** Process of a sweep: receives ranges of seeds from its parent by IPC and returns the outcomes. */
import { simulate, type Choice, type Outcome } from "../../shared/simulation/index.ts";

export type Order = { readonly choice: Omit<Choice, "seed">; readonly first: number; readonly last: number };
export type Report = { readonly outcomes: readonly Outcome[]; readonly processorMs: number };

process.on("message", ({ choice, first, last }: Order) => {
  const outcomes: Outcome[] = [];
  const before = process.cpuUsage();
  for (let seed = first; seed <= last; seed++) outcomes.push(simulate({ ...choice, seed }));
  const { user, system } = process.cpuUsage(before);
  process.send?.({ outcomes, processorMs: (user + system) / 1_000 } satisfies Report);
});
