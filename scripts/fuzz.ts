/**
 * `bun run fuzz`: hostile input for every decoder (docs/TESTING.md).
 *
 * A case is a seed and a number, and can be run again alone. A finding is a case that throws
 * anything but the declared errors of its decoder, breaks a promise, takes too long, or makes the
 * program's memory grow. Each is printed with the command that runs it again. Exit status 1 after a
 * finding.
 */
import { Command } from "@commander-js/extra-typings";
import { api } from "./fuzz/api.ts";
import { exchange } from "./fuzz/exchange.ts";
import { forwarded } from "./fuzz/forwarded.ts";
import { frames } from "./fuzz/frames.ts";
import { ledger } from "./fuzz/ledger.ts";
import { manifests } from "./fuzz/manifests.ts";
import { members } from "./fuzz/members.ts";
import { fuzzTarget, type FuzzReport } from "./fuzz/run.ts";
import { settings } from "./fuzz/settings.ts";
import { trust } from "./fuzz/trust.ts";
import { web } from "./fuzz/web.ts";
import { between } from "./rig/option-parsers.ts";
import { alignTable } from "./rig/table.ts";

export const targets = [
  frames,
  members,
  manifests,
  exchange,
  api,
  ledger,
  settings,
  trust,
  web,
  forwarded,
] as const;

const sharesTotal = targets.reduce((sum, { share }) => sum + share, 0);
const casesMax = 1e12;

const countText = (count: number): string => count.toLocaleString("en-US");

function table(all: readonly FuzzReport[]): string {
  const rows = all.map(({ target, cases, seconds, outcomes, findings }) => [
    target,
    countText(cases),
    seconds.toFixed(1),
    countText(Math.round(cases / Math.max(seconds, 0.001))),
    String(outcomes.size),
    String(findings.length),
  ]);
  const head = ["target", "cases", "seconds", "cases/s", "outcomes", "findings"];
  const total = all.reduce((sum, { cases }) => sum + cases, 0);
  return `${alignTable([head, ...rows])}\n${countText(total)} cases`;
}

function outcomesText({ target, outcomes }: FuzzReport): string {
  const words = [...outcomes]
    .toSorted((a, b) => b[1] - a[1])
    .map(([word, count]) => `${word} ${countText(count)}`);
  return `${target}: ${words.join(", ")}`;
}

if (import.meta.main) {
  const options = new Command("bun run fuzz --")
    .description("Hostile input for every decoder: see docs/TESTING.md.")
    .option("--target <name>", `one of ${targets.map(({ name }) => name).join(", ")} (default: all)`)
    .option("--cases <n>", "number of cases of all targets", between(1, casesMax, true), 1_000_000)
    .option("--minutes <n>", "stop after this time", between(0.01, 10_000))
    .option("--seed <n>", "another seed draws other cases", between(0, 0xffff_ffff, true), 1)
    .option("--case <n>", "only this case of --target: repeats a finding", between(0, casesMax, true))
    .option("--outcomes", "print every outcome and its count")
    .parse()
    .opts();
  const chosen = targets.filter(({ name }) => options.target === undefined || name === options.target);
  if (chosen.length === 0 || (options.case !== undefined && options.target === undefined)) {
    console.error(`Write --target with one of ${targets.map(({ name }) => name).join(", ")}.`);
    process.exit(2);
  }
  const endAtMs =
    options.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.minutes * 60_000;
  const all: FuzzReport[] = [];
  for (const target of chosen) {
    const share = chosen.length === 1 ? 1 : target.share / sharesTotal;
    const first = options.case ?? 0;
    const count = options.case === undefined ? Math.ceil(options.cases * share) : 1;
    const found = await fuzzTarget(target, { seed: options.seed, first, count, endAtMs });
    all.push(found);
    for (const { number, error } of found.findings)
      console.log(
        `FINDING ${error}\n  again: bun run fuzz -- --target ${target.name} --seed ${options.seed} --case ${number}`,
      );
    if (options.outcomes) console.log(outcomesText(found));
  }
  console.log(table(all));
  process.exitCode = all.some(({ findings }) => findings.length > 0) ? 1 : 0;
}
