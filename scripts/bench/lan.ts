/** `bench lan`: this project and its competitors in turn, on the same hosts, ports and losses. */
import { UsageError, type Cleanup } from "../rig/cleanup.ts";
import { limitReceiveBuffers } from "../lab/kernel-limits.ts";
import { alignTable } from "../rig/table.ts";
import { bestOf, dash, fixed, meanOf, ratioOf, secondsText } from "../rig/figures.ts";
import { askAgent } from "../lab/agent-status.ts";
import { endFlockcast, prepareFlockcast } from "./flockcast.ts";
import { openLan, type BenchLan } from "./lan-world.ts";
import { endCompetitor, prepareCompetitor, programsOf, type CompetitorName } from "./competitors.ts";
import { measureTransfer, showFailure, type Prepared, type TransferResult } from "./transfer.ts";

export type LanOptions = {
  readonly receivers: number;
  /** MB of 10^6 bytes. */
  readonly size: number;
  readonly rate: number;
  readonly loss: readonly number[];
  readonly against: readonly CompetitorName[];
  readonly encrypt: boolean;
  readonly cutRuns: boolean;
  readonly receiveBuffer: number | null;
  readonly repeat: number;
  readonly timeout: number;
};
/** A program to measure; `competitor` is null for this project. */
type Contender = { readonly competitor: CompetitorName | null; readonly isEncrypted: boolean };
export type LanRow = {
  readonly lossPercent: number;
  readonly program: string;
  readonly isOurs: boolean;
  readonly isEncrypted: boolean;
  /** Reason why the result is missing; null with a result. */
  readonly failure: string | null;
  readonly result: TransferResult | null;
  /** Datagrams of a message that a receiver of this project read; null for others. */
  readonly datagramsPerMessage: number | null;
  /** Datagrams that the kernel of a receiver dropped at a full buffer, on average. */
  readonly kernelDrops: number | null;
};
type Outcome = Pick<LanRow, "result" | "datagramsPerMessage" | "kernelDrops">;

export const contendersOf = ({ against, encrypt }: Pick<LanOptions, "against" | "encrypt">): Contender[] => [
  { competitor: null, isEncrypted: true },
  ...against.map((competitor) => ({ competitor, isEncrypted: false })),
  ...(encrypt && against.includes("uftp") ? [{ competitor: "uftp" as const, isEncrypted: true }] : []),
];

async function runOne(
  lan: BenchLan,
  { competitor, isEncrypted }: Contender,
  lossPercent: number,
  options: LanOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const transfer = { limitMs: options.timeout * 1_000, signal };
  const { rate } = options;
  const measure = async (prepared: Prepared): Promise<TransferResult> => {
    const result = await measureTransfer(prepared, transfer);
    await showFailure(prepared, result);
    return result;
  };
  if (competitor === null) {
    try {
      const result = await measure(await prepareFlockcast(lan, { rate, signal }));
      return { result, ...(await receptionOf(lan)) };
    } finally {
      await endFlockcast(lan);
    }
  }
  const prepared = await prepareCompetitor(competitor, lan, { rate, lossPercent, isEncrypted, signal });
  try {
    return { result: await measure(prepared), datagramsPerMessage: null, kernelDrops: null };
  } finally {
    await endCompetitor(competitor, lan, prepared);
  }
}

async function receptionOf({ receivers }: BenchLan): Promise<Omit<Outcome, "result">> {
  const answers = await Promise.all(receivers.map(askAgent));
  const statuses = answers.flatMap((status) => status?.lan ?? []);
  const withMessages = statuses.filter(({ messagesReceived }) => messagesReceived > 0);
  return {
    datagramsPerMessage: meanOf(
      withMessages.map(({ framesHeard, messagesReceived }) => framesHeard / messagesReceived),
    ),
    kernelDrops: meanOf(statuses.flatMap(({ kernelDrops }) => kernelDrops ?? [])),
  };
}

/** Runs every contender at every loss. A contender that fails gives a row with the failure. */
export async function runLan(options: LanOptions, cleanup: Cleanup): Promise<LanRow[]> {
  for (const program of options.against.flatMap((name) => programsOf[name])) {
    if (!Bun.which(program))
      throw new UsageError(`bench lan needs "${program}": apt-get install uftp udpcast, or --against none`);
  }
  if (options.receiveBuffer !== null) await limitReceiveBuffers(options.receiveBuffer, cleanup);
  const lan = await openLan(options, cleanup);
  const rows: LanRow[] = [];
  for (const lossPercent of options.loss) {
    await lan.lose(lossPercent);
    for (let turn = 0; turn < options.repeat; turn++) {
      for (const contender of contendersOf(options)) {
        const { competitor, isEncrypted } = contender;
        const program = `${competitor ?? "flockcast"}${competitor !== null && isEncrypted ? " encrypted" : ""}`;
        const row = { lossPercent, program, isOurs: competitor === null, isEncrypted };
        try {
          const outcome = await runOne(lan, contender, lossPercent, options, cleanup.interrupted);
          rows.push({ ...row, failure: null, ...outcome });
          console.error(
            `${program} at ${lossPercent} % loss: ${secondsText(outcome.result?.lastMs ?? null)}`,
          );
        } catch (error) {
          rows.push({
            ...row,
            failure: error instanceof Error ? error.message : String(error),
            result: null,
            datagramsPerMessage: null,
            kernelDrops: null,
          });
          console.error(`${program} at ${lossPercent} % loss: ${String(error)}`);
        }
      }
    }
  }
  return rows;
}

type LanFigures = {
  readonly lastMs: number | null;
  readonly medianMs: number | null;
  readonly goodputMbit: number | null;
  readonly lastToIdeal: number | null;
  readonly lanToPackage: number | null;
  readonly senderCpuPerGb: number | null;
  readonly receiverCpuPerGb: number | null;
};

/** Figures of a transfer, relative to the package and to the rate. */
export function figuresOf(result: TransferResult, sizeMb: number, rateMbit: number): LanFigures {
  const { lastMs } = result;
  const bytes = sizeMb * 1e6;
  return {
    lastMs,
    medianMs: result.medianMs,
    goodputMbit: ratioOf(bytes / 125, lastMs),
    lastToIdeal: ratioOf(lastMs, (bytes * 8) / rateMbit / 1_000),
    lanToPackage: ratioOf(result.sentBytes, bytes),
    senderCpuPerGb: ratioOf(result.senderCpuSeconds, sizeMb / 1_000),
    receiverCpuPerGb: ratioOf(result.receiverCpuSeconds, sizeMb / 1_000),
  };
}

const percent = (share: number | null): string => fixed(share === null ? null : share * 100, 0, " %");

const rowText = (
  { program, result, datagramsPerMessage, kernelDrops }: LanRow,
  { size, rate, receivers }: LanOptions,
): string[] => {
  if (!result) return [program, ...Array.from({ length: 10 }, () => dash), `0/${receivers}`];
  const figures = figuresOf(result, size, rate);
  return [
    program,
    secondsText(figures.lastMs),
    secondsText(figures.medianMs),
    fixed(figures.goodputMbit, 0, " Mbit/s"),
    fixed(figures.lastToIdeal),
    fixed(figures.lanToPackage, 3),
    fixed(figures.senderCpuPerGb),
    fixed(figures.receiverCpuPerGb),
    `${fixed(result.senderPeakBytes / 1e6, 0)} / ${fixed(result.receiverPeakBytes / 1e6, 0)} MB`,
    `${fixed(datagramsPerMessage, 1)} / ${fixed(kernelDrops, 0)}`,
    `${percent(result.processors.busy)} / ${percent(result.processors.stolen)}`,
    `${result.verified}/${result.receivers.length}`,
  ];
};

const head = [
  "program",
  "last",
  "median",
  "goodput",
  "last ÷ ideal",
  "LAN ÷ package",
  "sender CPU s/GB",
  "receiver CPU s/GB",
  "peak memory",
  "datagrams a message / dropped",
  "busy / stolen",
  "verified",
];

type Comparison = { readonly what: string; readonly ratio: number | null };

/**
 * Returns ratios of this project to the best competitor, from means over repeated runs. A run in
 * which a receiver has no right copy does not count.
 */
export function compare(rows: readonly LanRow[], options: Pick<LanOptions, "size" | "rate">): Comparison[] {
  const means = (read: (figures: LanFigures) => number | null, among: readonly LanRow[]) => {
    const right = among.filter(({ result }) => result && result.verified === result.receivers.length);
    const programs = [...new Set(right.map(({ program }) => program))];
    return programs.map((program) =>
      meanOf(
        right
          .filter((row) => row.program === program)
          .flatMap(({ result }) => read(figuresOf(result!, options.size, options.rate)) ?? []),
      ),
    );
  };
  const ratio = (what: string, read: (figures: LanFigures) => number | null, others = rows) => ({
    what,
    ratio: ratioOf(
      means(
        read,
        rows.filter(({ isOurs }) => isOurs),
      )[0] ?? null,
      bestOf(
        means(
          read,
          others.filter(({ isOurs }) => !isOurs),
        ),
      ),
    ),
  });
  const encrypted = rows.filter(({ isEncrypted }) => isEncrypted);
  return [
    ratio("last", ({ lastMs }) => lastMs),
    ratio("LAN bytes", ({ lanToPackage }) => lanToPackage),
    ratio("sender CPU", ({ senderCpuPerGb }) => senderCpuPerGb),
    ratio("receiver CPU", ({ receiverCpuPerGb }) => receiverCpuPerGb),
    ...(encrypted.some(({ isOurs }) => !isOurs)
      ? [ratio("receiver CPU, both encrypted", ({ receiverCpuPerGb }) => receiverCpuPerGb, encrypted)]
      : []),
  ];
}

export function lanText(rows: readonly LanRow[], options: LanOptions): string {
  return options.loss
    .map((lossPercent) => {
      const mine = rows.filter((row) => row.lossPercent === lossPercent);
      const ratios = compare(mine, options).map(({ what, ratio }) => `${what} ${fixed(ratio)}`);
      return [
        `\n${options.receivers} receivers, ${options.size} MB at ${options.rate} Mbit/s, ${lossPercent} % loss at each receiver`,
        alignTable([head, ...mine.map((row) => rowText(row, options))]),
        ...(options.against.length > 0 ? [`ours ÷ best other: ${ratios.join(", ")}`] : []),
        ...mine.flatMap(({ program, failure }) => (failure ? [`${program}: ${failure}`] : [])),
      ].join("\n");
    })
    .join("\n");
}
