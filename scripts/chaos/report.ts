/** Report of the chaos lab for a person: a row per run, the worst of all, and the problems. */
import { fixed, meanOf, ratioOf, secondsText } from "../rig/figures.ts";
import { alignTable } from "../rig/table.ts";
import type { ChaosReport, ChaosRun } from "./chaos.ts";
import { faultKindFacts } from "./fault-kinds.ts";
import { waitBoundMs } from "./timetable.ts";

/** Returns the mean time of the runs without a fault; null when one did not complete. */
function calmMs({ calm }: ChaosReport): number | null {
  const times = calm.flatMap(({ allMs }) => allMs ?? []);
  return times.length === calm.length ? meanOf(times) : null;
}

/** Returns how much longer the last healthy device needed than without a fault, at least 0. */
const waitedMs = (run: ChaosRun, base: number | null): number | null =>
  run.healthyMs === null || base === null ? null : Math.max(0, run.healthyMs - base);

/** Returns one sentence per problem; empty on success. */
export function chaosProblems(report: ChaosReport): string[] {
  const base = calmMs(report);
  return [
    ...report.calm.flatMap(({ problems }) => problems.map((text) => `without a fault: ${text}`)),
    ...report.runs.flatMap((run) => [
      ...run.problems.map((text) => `seed ${run.seed}: ${text}`),
      ...((waitedMs(run, base) ?? 0) <= waitBoundMs(run.faults)
        ? []
        : [
            `seed ${run.seed}: healthy devices waited ${secondsText(waitedMs(run, base))} longer, more than ${secondsText(waitBoundMs(run.faults))}`,
          ]),
    ]),
  ];
}

const siteCells = <T>(run: ChaosRun, text: (site: ChaosRun["sites"][number]) => T): string =>
  run.sites.map(text).join(" ");

const rowOf = (run: ChaosRun, base: number | null): string[] => [
  run.faults.length === 0 ? "none" : String(run.seed),
  run.story.length === 1 ? run.story[0]! : `${run.faults.length} faults`,
  secondsText(run.healthyMs),
  fixed(ratioOf(run.healthyMs, base)),
  secondsText(waitedMs(run, base)),
  secondsText(run.allMs),
  `${run.verified}/${run.expected}`,
  siteCells(run, ({ wanRatio }) => wanRatio.toFixed(3)),
  siteCells(run, ({ lanRatio }) => lanRatio.toFixed(2)),
  siteCells(run, ({ feedbackFrames }) => feedbackFrames),
];

const head = [
  "seed",
  "what happened",
  "last healthy",
  "÷ no fault",
  "waited",
  "last of all",
  "verified",
  "WAN ÷ package",
  "LAN ÷ package",
  "feedback",
];

const legend = `Times are from the creation of the task. A device is healthy if no fault affected it directly. For each site:
WAN is payload on its WAN link ÷ package, LAN is Ethernet bytes that its devices sent ÷ package,
and feedback is frames that its healthy peers sent.`;

/** Compares the stated bound with the longest wait of all runs. */
function boundLines(report: ChaosReport): string[] {
  const base = calmMs(report);
  const { runs } = report;
  const worst = Math.max(0, ...runs.map((run) => waitedMs(run, base) ?? Number.POSITIVE_INFINITY));
  const kinds = [...new Set(runs.flatMap(({ faults }) => faults.map(({ kind }) => kind)))];
  const stated = Math.max(0, ...runs.map(({ faults }) => waitBoundMs(faults)));
  const lost = runs.reduce((total, { expected, verified }) => total + expected - verified, 0);
  return [
    `${kinds.map((kind) => faultKindFacts[kind].about).join("; ")}.`,
    `${runs.length} runs, ${lost} copies lost. Healthy devices waited ${Number.isFinite(worst) ? `at most ${secondsText(worst)}` : "for an unknown time: a run did not complete"} (stated: at most ${secondsText(stated)}).`,
  ];
}

export function chaosText(report: ChaosReport): string {
  const base = calmMs(report);
  const rows = [...report.calm, ...report.runs].map((run) => rowOf(run, base));
  return ["", alignTable([head, ...rows], 2), "", legend, ...boundLines(report)].join("\n");
}
