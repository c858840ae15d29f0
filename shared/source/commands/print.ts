/** Output of commands on standard output: tables for people, JSON for programs. */
import { printable } from "../../printable.ts";

export function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

export function printJson(value: unknown): void {
  for (const line of JSON.stringify(value, null, 2).split("\n")) print(line);
}

/** Returns the lines of a table. Every column is as wide as its widest cell. */
function tableLines(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  for (const line of tableLines(header, rows)) print(line);
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Formats a time in the local time zone: "2026-03-01 08:30:05". */
export function formatTime(timeMs: number): string {
  const at = new Date(timeMs);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
