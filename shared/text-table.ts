/** Formats columns of text for a terminal. Pure. */
import { printable } from "./printable.ts";

/** Returns the lines of a table. Every column is as wide as its widest cell. */
export function tableLines(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  // Escapes are wider than the characters that they replace.
  const all = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}
