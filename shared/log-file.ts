/**
 * A log in files of a bounded size: NAME, NAME.1 …, the newest first. Each line is appended by a
 * call of its own, so another program can move or remove the file at any time. Lines are never
 * split, so a file may be longer than its bound by one line.
 */
import { appendFileSync, chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Bound on one file, and number of earlier files that stay. */
const sizeBytesMax = 10 * 1024 * 1024;
const earlierFiles = 4;

const privateFolder = 0o700;
const privateFile = 0o600;

export class LogFile {
  readonly #path: string;
  readonly #sizeBytesMax: number;
  #sizeBytes: number;

  /**
   * Creates the folder if it is missing.
   * @throws Error of the file system
   */
  constructor(path: string, sizeBytes = sizeBytesMax) {
    this.#path = path;
    this.#sizeBytesMax = sizeBytes;
    mkdirSync(dirname(path), { recursive: true, mode: privateFolder });
    appendFileSync(path, "", { mode: privateFile });
    chmodSync(path, privateFile);
    this.#sizeBytes = statSync(path).size;
  }

  /** Appends a line. A full disk loses the line; the program continues. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    try {
      if (this.#sizeBytes > 0 && this.#sizeBytes + bytes > this.#sizeBytesMax) this.#rotate();
      appendFileSync(this.#path, line, { mode: privateFile });
      this.#sizeBytes += bytes;
    } catch {
      // The log cannot report what is wrong with the log.
    }
  }

  /** Another process may have rotated meanwhile: the size is read again. */
  #rotate(): void {
    this.#sizeBytes = existsSync(this.#path) ? statSync(this.#path).size : 0;
    if (this.#sizeBytes === 0) return;
    const nameOf = (age: number): string => (age === 0 ? this.#path : `${this.#path}.${age}`);
    rmSync(nameOf(earlierFiles), { force: true });
    for (let age = earlierFiles - 1; age >= 0; age--)
      if (existsSync(nameOf(age))) renameSync(nameOf(age), nameOf(age + 1));
    this.#sizeBytes = 0;
  }
}
