/**
 * Standard output and standard error of the programs. This file and the log are the only ones that
 * write to them (scripts/check), so that no text from outside reaches a terminal unescaped.
 */
import { printable, printableJson, printableLines } from "./printable.ts";

/** Prints one line of data. */
export const printLine = (text: string): void => void process.stdout.write(`${printable(text)}\n`);

export const printLines = (lines: readonly string[]): void =>
  void process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(""));

/** Prints valid JSON of exactly this value. */
export const printJson = (value: unknown): void =>
  void process.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);

/** Prints valid JSON of exactly this value in one line. */
export const printJsonLine = (value: unknown): void =>
  void process.stdout.write(`${printableJson(JSON.stringify(value))}\n`);

/** Prints CSV. Its cells are printable already. */
export const printCsv = (text: string): void => void process.stdout.write(text);

/** Prints one line for people on standard error. */
export const printNote = (text: string): void => void process.stderr.write(`${printable(text)}\n`);

/** Prints an error that a bug caused, with its stack, on standard error. */
export const printBug = (text: string): void => void process.stderr.write(`${printableLines(text)}\n`);

/** Output of Commander: help pages, and errors that quote words of the command line. */
export const commanderOutput = {
  writeOut: (text: string): void => void process.stdout.write(printableLines(text)),
  writeErr: (text: string): void => void process.stderr.write(printableLines(text)),
};

/** Lines on a terminal that replace those shown before. */
export class TerminalDrawing {
  #shownLines = 0;

  show(lines: readonly string[]): void {
    const up = this.#shownLines > 0 ? `\u001B[${this.#shownLines}A` : "";
    process.stdout.write(`${up}\u001B[J${lines.map(printable).join("\n")}\n`);
    this.#shownLines = lines.length;
  }
}

/** Shows a question on the terminal; the answer follows on the same line. */
export const showQuestion = (text: string): void => void process.stderr.write(printable(text));

/** Replaces the status line of a terminal on standard error; an empty text removes it. */
export const showStatusLine = (text: string): void =>
  void process.stderr.write(`\r\u001B[K${printable(text)}`);

/**
 * Handles errors of standard output for the whole process. A reader that closes the pipe, as in
 * `… | head`, ends the process quietly with status 0. Any other error, for example a full disk, is
 * reported and ends it with status 1.
 */
export function endWhenNobodyReads(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    printNote(`error: Cannot write the output: ${error.message}`);
    process.exit(1);
  });
}
