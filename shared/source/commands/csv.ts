/** CSV after RFC 4180, for spreadsheets. Pure. */

type Cell = string | number;

/**
 * Returns the text of a table, whose first row is the header.
 *
 * A spreadsheet runs a text that begins with one of `= + - @` as a formula, so such a text gets an
 * apostrophe in front. Numbers stay as they are.
 */
export const csvText = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${row.map(cellText).join(",")}\r\n`).join("");

function cellText(cell: Cell): string {
  if (typeof cell === "number") return String(cell);
  const safe = /^[\s\0]*[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
