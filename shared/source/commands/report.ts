/** Command `report wan`: a table for people, JSON or CSV. */
import type { WanReport } from "../../api/schema/admin.ts";
import { formatSize } from "../../model/quantity.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { csvText } from "../../command-line/csv.ts";
import { print, printJson, printTable } from "./print.ts";
import { printCsv } from "../../standard-output.ts";

type WanReportOptions = JsonOptions & {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly by: WanReport["by"];
  readonly csv?: true | undefined;
};
type Bytes = WanReport["total"];

export async function reportWan(options: WanReportOptions): Promise<void> {
  if (options.json && options.csv) throw new CommandError("--json and --csv: give one of them", 2);
  const report = await (
    await connect(options)
  ).wanReport({
    by: options.by,
    sinceMs: timeOf(options.since, "begin"),
    untilMs: timeOf(options.until, "end"),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  if (options.json) return printJson(withSavings(report));
  if (options.csv) return void printCsv(csvOf(report));
  printTable(
    [options.by.toUpperCase(), "CROSSED", "WITHOUT FLOCKCAST", "SAVED", "SHARE"],
    [...report.rows.map((row) => line(nameOf(row), row)), line("total", report.total)],
  );
  if (report.rows.length === 0) print("no bytes crossed the WAN in this time");
}

const line = (name: string, bytes: Bytes): string[] => [
  name,
  formatSize(bytes.crossedBytes),
  formatSize(bytes.directBytes),
  savedText(bytes),
  shareText(bytes),
];

/** Name of a row: devices without an interface are on no subnet. */
const nameOf = ({ id, name }: { id: string; name: string }): string => name || id || "(no subnet)";

const savedBytes = ({ crossedBytes, directBytes }: Bytes): number => directBytes - crossedBytes;

/** Share of the bytes without flockcast that was saved, in percent; null without any. */
const savedPercent = (bytes: Bytes): number | null =>
  bytes.directBytes === 0 ? null : Math.round((1_000 * savedBytes(bytes)) / bytes.directBytes) / 10;

/** Downloads that no device has completed yet save nothing. */
const savedText = (bytes: Bytes): string =>
  savedBytes(bytes) < 0 ? `-${formatSize(-savedBytes(bytes))}` : formatSize(savedBytes(bytes));

const shareText = (bytes: Bytes): string => {
  const percent = savedPercent(bytes);
  return percent === null ? "-" : `${percent.toFixed(1)} %`;
};

const withSaving = <T extends Bytes>(bytes: T) =>
  Object.assign({}, bytes, { savedBytes: savedBytes(bytes), savedPercent: savedPercent(bytes) });

const withSavings = ({ rows, total, by }: WanReport) => ({
  by,
  rows: rows.map(withSaving),
  total: withSaving(total),
});

export function csvOf({ by, rows }: WanReport): string {
  const header = [
    by,
    "id",
    "crossed_bytes",
    "from_source_bytes",
    "from_web_bytes",
    "without_flockcast_bytes",
    "saved_bytes",
    "saved_percent",
  ];
  return csvText([
    header,
    ...rows.map((row) => [
      nameOf(row),
      row.id,
      row.crossedBytes,
      row.sourceBytes,
      row.webBytes,
      row.directBytes,
      savedBytes(row),
      savedPercent(row) ?? "",
    ]),
  ]);
}

/**
 * Parses a day of the local time zone, or a time.
 *
 * @param edge `begin` or `end` of the day
 * @throws CommandError with exit status 2
 */
export function timeOf(text: string | undefined, edge: "begin" | "end"): number | undefined {
  if (text === undefined) return undefined;
  return usage(() => {
    const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
    const isTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})?$/.test(text);
    const atMs = day
      ? localDay(Number(day[1]), Number(day[2]), Number(day[3]) + (edge === "end" ? 1 : 0), Number(day[3]))
      : isTime
        ? Date.parse(text.replace(" ", "T"))
        : Number.NaN;
    if (Number.isNaN(atMs) || atMs < 0)
      throw new Error(`"${text}" is not a date: write for example 2026-01-31 or 2026-01-31T08:00`);
    return atMs;
  });
}

/** Returns the begin of a local day; NaN for a day that the calendar does not have. */
function localDay(year: number, month: number, day: number, named: number): number {
  const isReal = new Date(year, month - 1, named).getDate() === named && month >= 1 && month <= 12;
  return isReal ? new Date(year, month - 1, day).getTime() : Number.NaN;
}
