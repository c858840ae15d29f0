/**
 * Files of the import commands: CSV with a header, or a JSON list as `--json` prints it. The
 * commands check what a value means.
 */
import { readFile } from "node:fs/promises";
import { parseCsv } from "../../command-line/csv.ts";
import { CommandError } from "./command-error.ts";
import { printJson, print } from "./print.ts";
import { printNote } from "../../standard-output.ts";

export type ImportOptions = { readonly json?: boolean | undefined; readonly dryRun?: boolean | undefined };
export type ImportRow = Readonly<Record<string, unknown>>;

/**
 * Reads the rows of a file; `-` is the standard input.
 * @param known names of fields that the command reads; at least `needed` has to be there
 * @throws CommandError that names the file and what is wrong with it
 */
export async function readImport(
  file: string,
  known: readonly string[],
  needed: string,
): Promise<ImportRow[]> {
  const text = await textOf(file);
  const rows = rowsOf(file, text);
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  if (rows.length > 0 && !names.has(needed))
    throw new CommandError(`"${file}" has no field "${needed}": its fields are ${[...names].join(", ")}`);
  const others = [...names].filter((name) => !known.includes(name));
  if (others.length > 0) printNote(`not imported: ${others.slice(0, 20).join(", ")}`);
  return rows;
}

async function textOf(file: string): Promise<string> {
  try {
    return file === "-" ? await Bun.stdin.text() : await readFile(file, "utf8");
  } catch (error) {
    throw new CommandError(`Cannot read "${file}": ${(error as Error).message}`, 1, { cause: error });
  }
}

function rowsOf(file: string, text: string): ImportRow[] {
  try {
    if (!/^\s*\[/.test(text)) return parseCsv(text);
    const rows: unknown = JSON.parse(text);
    const isList =
      Array.isArray(rows) &&
      rows.every((row) => typeof row === "object" && row !== null && !Array.isArray(row));
    if (!isList) throw new Error("it is not a list of objects");
    return rows as ImportRow[];
  } catch (error) {
    throw new CommandError(`"${file}" is neither CSV nor a JSON list: ${(error as Error).message}`, 1, {
      cause: error,
    });
  }
}

/** Returns the text of a field; null: it is missing. */
export function textIn(row: ImportRow, name: string): string | null {
  const value = row[name];
  if (value === undefined) return null;
  return value === null ? "" : String(value).trim();
}

/** Returns the names in a field, which commas or spaces separate; null: it is missing. */
export function namesIn(row: ImportRow, name: string): string[] | null {
  const value = row[name];
  if (value === undefined) return null;
  const parts = Array.isArray(value) ? value.map(String) : String(value ?? "").split(/[\s,;]+/);
  return [...new Set(parts.filter((part) => part !== ""))];
}

/** A change that an import makes, with its words for a person. */
export type ImportChange = { readonly object: string; readonly changes: readonly string[] };

/** Prints what changes, and whether it was done. */
export function reportImport(rows: number, changed: readonly ImportChange[], options: ImportOptions): void {
  const isDry = options.dryRun === true;
  if (options.json) return printJson({ dryRun: isDry, rows, changed });
  for (const { object, changes } of changed) print(`${object}: ${changes.join(", ")}`);
  print(`${changed.length} of ${rows} ${isDry ? "would change; nothing was changed" : "changed"}`);
}

/** Collects the faults of all rows, so that one run names all. */
export class ImportFaults {
  readonly #faults: string[] = [];

  note(row: number, why: string): null {
    this.#faults.push(`row ${row + 1}: ${why}`);
    return null;
  }

  /** @throws CommandError that names every fault, before anything is changed */
  check(): void {
    if (this.#faults.length === 0) return;
    for (const fault of this.#faults.slice(0, 20)) printNote(fault);
    throw new CommandError(`Nothing was changed: ${this.#faults.length} rows have faults`);
  }
}
