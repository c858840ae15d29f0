/** CSV after RFC 4180, for spreadsheets and terminals. Pure. */
import { printable } from "../printable.ts";

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

/**
 * Returns CSV of records with the fields of their JSON. A nested field has a name with dots, a list
 * of texts is one cell with commas, and another list is JSON.
 */
export function recordsCsv(records: readonly object[]): string {
  const flat = records.map((one) => new Map(fieldsOf(one, "")));
  const names = [...new Set(flat.flatMap((one) => [...one.keys()]))];
  return csvText([names, ...flat.map((one) => names.map((name) => one.get(name) ?? ""))]);
}

function fieldsOf(value: object, prefix: string): [string, Cell][] {
  return Object.entries(value).flatMap(([key, one]: [string, unknown]): [string, Cell][] => {
    const name = `${prefix}${key}`;
    if (one === null || one === undefined) return [[name, ""]];
    if (typeof one === "number") return [[name, one]];
    if (Array.isArray(one))
      return [[name, one.every((part) => typeof part === "string") ? one.join(",") : JSON.stringify(one)]];
    return typeof one === "object" ? fieldsOf(one, `${name}.`) : [[name, String(one)]];
  });
}

/**
 * Parses CSV, with commas or semicolons, as spreadsheets write it. The apostrophe that `csvText` puts
 * before a formula is taken away.
 * @returns the rows with their names; empty lines are left out
 * @throws Error that names the row
 */
export function parseCsv(text: string): Record<string, string>[] {
  const plain = text.replace(/^\uFEFF/, "");
  const firstLine = plain.split(/\r?\n/, 1)[0]!;
  const separator = firstLine.includes(";") && !firstLine.includes(",") ? ";" : ",";
  const [header = [], ...rows] = cellsOf(plain, separator).filter((row) => row.some((cell) => cell !== ""));
  return rows.map((row, at) => {
    if (row.length > header.length)
      throw new Error(`row ${at + 2} has ${row.length} cells, the header ${header.length}`);
    return Object.fromEntries(header.map((name, column) => [name.trim(), row[column] ?? ""]));
  });
}

function cellsOf(text: string, separator: string): string[][] {
  const rows: string[][] = [[]];
  const ends = new RegExp(`[${separator}\\r\\n]`, "g");
  for (let at = 0; at <= text.length;) {
    let end: number;
    let value: string;
    if (text[at] === '"') {
      end = closingQuote(text, at, rows.length) + 1;
      value = text.slice(at + 1, end - 1).replaceAll('""', '"');
    } else {
      ends.lastIndex = at;
      end = ends.exec(text)?.index ?? text.length;
      value = text.slice(at, end);
    }
    rows.at(-1)!.push(value.replace(formulaGuard, ""));
    const next = text[end];
    if (next !== undefined && next !== separator && next !== "\r" && next !== "\n")
      throw new Error(`row ${rows.length} has text after a closing quote`);
    if (next === "\r" || next === "\n") rows.push([]);
    at = end + (text.startsWith("\r\n", end) ? 2 : 1);
  }
  return rows;
}

/** Apostrophe that csvText puts before a formula. */
const formulaGuard = /^'(?=[\s"]*[=+\-@＝＋－＠])/;

/** Returns the place of the quote that ends a cell. */
function closingQuote(text: string, from: number, row: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] !== '"') continue;
    if (text[at + 1] !== '"') return at;
    at++;
  }
  throw new Error(`row ${row} has a quote that does not end`);
}
