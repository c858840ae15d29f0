/** Report of the imaging lab for a person, and the problems that make a run a failure. */
import type { OriginBytes } from "../../shared/api/schema/common.ts";
import { formatRate, formatSize } from "../../shared/model/quantity.ts";
import { alignTable } from "../rig/table.ts";

export type MachineResult = {
  readonly number: number;
  readonly from: OriginBytes;
  readonly wanBytesFetched: number;
  /** First chunk in which the disk differs from the image; null: none. */
  readonly differsAt: number | null;
};

export type ImagingReport = {
  readonly image: {
    readonly sizeBytes: number;
    /** Size without chunks of zeros. */
    readonly sentBytes: number;
  };
  readonly machines: readonly MachineResult[];
  /** Payload on the WAN link towards the machines, from the task's creation to its end. */
  readonly wanBytes: number;
  /** Machine that lost its power, and its verified bytes at that time. */
  readonly cut: { readonly number: number; readonly bytesVerified: number } | null;
  readonly lateNumber: number;
  /** Setting of the run; null: no limit. */
  readonly lanRateBps: number | null;
  readonly multicastBps: number;
  readonly timesMs: Readonly<Record<string, number>>;
  readonly totalMs: number;
};

/** Upper bound on WAN bytes ÷ bytes of the image without chunks of zeros. */
const wanRatioMax = 1.03;
/** Share of the image that the machine with the most of it receives by multicast, at least. */
const multicastShareMin = 0.9;
/** Share of the verified bytes that a power cut leaves on the disk, at least. */
const keptShareMin = 0.85;

const ratioOf = ({ wanBytes, image }: ImagingReport): number => wanBytes / image.sentBytes;
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(0)} s`;

export function imagingText(report: ImagingReport): string {
  const head = ["machine", "on disk", "WAN", "multicast", "unicast", "disk"];
  const rows = report.machines.map(({ number, from, differsAt }) => [
    nameOf(report, number),
    ...[from.cache, from.wan, from.multicast, from.peers].map((bytes) => formatSize(bytes)),
    differsAt === null ? "equal" : `differs at ${differsAt}`,
  ]);
  const { sizeBytes, sentBytes } = report.image;
  return [
    ...Object.entries(report.timesMs).map(([step, ms]) => `${seconds(ms).padStart(6)}  ${step}`),
    `${seconds(report.totalMs).padStart(6)}  in all`,
    "",
    alignTable([head, ...rows]),
    "",
    `image ${formatSize(sizeBytes)}, without chunks of zeros ${formatSize(sentBytes)}; "on disk" includes the zeros`,
    `WAN ÷ image without zeros: ${ratioOf(report).toFixed(4)} (kernel's counter, at most ${wanRatioMax})`,
    `lanRate: ${lanRateText(report.lanRateBps)}; multicast ${(report.multicastBps / 1e6).toFixed(1)} Mbit/s on average`,
  ].join("\n");
}

const lanRateText = (bps: number | null): string => (bps === null ? "none" : formatRate(bps));

const nameOf = ({ cut, lateNumber }: ImagingReport, number: number): string =>
  `${number}${number === cut?.number ? " (power cut)" : ""}${number === lateNumber ? " (late)" : ""}`;

export function imagingProblems(report: ImagingReport): string[] {
  const { machines, cut, lateNumber, image } = report;
  const problems: string[] = [];
  for (const { number, differsAt } of machines) {
    if (differsAt !== null) problems.push(`the disk of machine ${number} differs from the image`);
  }
  const ratio = ratioOf(report);
  if (ratio > wanRatioMax) problems.push(`WAN ÷ image is ${ratio.toFixed(4)}`);
  const multicast = Math.max(...machines.map(({ from }) => from.multicast));
  if (multicast < multicastShareMin * image.sentBytes)
    problems.push(`no machine received more than ${multicast} bytes by multicast`);
  const after = machines.find(({ number }) => number === cut?.number);
  if (!cut || !after) problems.push("no machine lost its power: the transfer was too fast");
  else if (after.from.cache < keptShareMin * cut.bytesVerified)
    problems.push(`machine ${cut.number} kept ${after.from.cache} of ${cut.bytesVerified} verified bytes`);
  const late = machines.find(({ number }) => number === lateNumber);
  if ((late?.wanBytesFetched ?? 0) > (wanRatioMax - 1) * image.sentBytes)
    problems.push(`the late machine downloaded ${late?.wanBytesFetched} bytes`);
  return problems;
}
