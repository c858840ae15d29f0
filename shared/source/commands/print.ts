/** Output of commands on standard output: tables for people, JSON for programs. */
import { recordsCsv } from "../../command-line/csv.ts";
import { printCsv, printJson, printLines } from "../../standard-output.ts";
import type { ListOptions } from "./connect.ts";
import { tableLines } from "../../text-table.ts";

export { printLine as print, printJson } from "../../standard-output.ts";

/** Prints a list as JSON or CSV if the options ask for it. @returns whether they do */
export function printedAs(options: ListOptions, records: readonly object[]): boolean {
  if (options.json) printJson(records);
  else if (options.csv) printCsv(recordsCsv(records));
  return options.json === true || options.csv === true;
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  printLines(tableLines(header, rows));
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Formats a time in the local time zone: "2026-03-01 08:30:05". */
export function formatTime(timeMs: number): string {
  const at = new Date(timeMs);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
