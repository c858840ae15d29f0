/** CSV after RFC 4180, for spreadsheets and terminals. Pure. */
import { printable } from "../../printable.ts";

type Cell = string | number;

/**
 * Returns the text of a table, whose first row is the header.
 *
 * A spreadsheet runs a text that begins with one of `= + - @` (in Japan also with their wide forms)
 * as a formula, so such a text gets an apostrophe in front. In many countries a semicolon separates
 * cells, so the rule applies after each one too. Hidden characters, tabs and line breaks included,
 * become visible escapes. Numbers stay as they are.
 */
export const csvText = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${row.map(cellText).join(",")}\r\n`).join("");

const formulaStart = /(^|;)([\s"]*[=+\-@＝＋－＠])/g;

function cellText(cell: Cell): string {
  if (typeof cell === "number") return String(cell);
  const safe = printable(cell).replaceAll(formulaStart, "$1'$2");
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
