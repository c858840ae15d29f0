/**
 * File with the output of a command: its beginning and its end, however much was written.
 *
 * The command appends to the file itself and not to a pipe, because it may start a service that
 * keeps writing after the command has ended, and that a closed pipe would kill. While the command
 * runs, the file is looked at often and its middle is cut out.
 */
import { closeSync, constants, fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { openPrivateFile } from "../platform/private-files.ts";

const headBytes = 65_536;
/** End of the output that is kept in the file after a cut. */
const endBytes = 1_048_576;
/** Size at which the file is cut back to its head. */
const cutAtBytes = 4 * 1_048_576;
/** At 1 GB/s a command writes 20 MB in this time. */
const checkMs = 20;

export class CommandOutput {
  readonly #file: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** End of what was cut out. */
  #cutEnd: Buffer = Buffer.alloc(0);
  #cutBytes = 0;

  /** @param mode `new` empties the file; `resumed` continues one of a running command */
  constructor(path: string, mode: "new" | "resumed") {
    const { O_RDWR, O_APPEND, O_TRUNC } = constants;
    this.#file = openPrivateFile(path, O_RDWR | O_APPEND | (mode === "new" ? O_TRUNC : 0));
    this.#timer = setInterval(() => this.#check(), checkMs);
  }

  #check(): void {
    try {
      let { size } = fstatSync(this.#file);
      if (size < cutAtBytes) return;
      let end = this.#read(size - endBytes, endBytes);
      // The command writes meanwhile, and these may be its last words.
      for (let more = fstatSync(this.#file).size; more > size; more = fstatSync(this.#file).size) {
        const fresh = Math.min(more - size, endBytes);
        end = Buffer.concat([end, this.#read(more - fresh, fresh)]).subarray(-endBytes);
        size = more;
        if (fresh === endBytes) break;
      }
      this.#cutEnd = end;
      this.#cutBytes += size - headBytes;
      ftruncateSync(this.#file, headBytes);
    } catch {
      // A full disk or a removed folder: the command continues, and the file is closed at its end.
    }
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#file, bytes, 0, length, at));
  }

  /** Closes the file. @returns the end of the output, at most `tailBytes` bytes */
  close(tailBytes: number): string {
    clearInterval(this.#timer);
    // A short command may have written much since the last look.
    this.#check();
    try {
      const { size } = fstatSync(this.#file);
      if (this.#cutBytes === 0)
        return this.#read(Math.max(0, size - tailBytes), Math.min(size, tailBytes)).toString("utf8");
      const since = size - headBytes;
      const rest = this.#read(size - Math.min(since, endBytes), Math.min(since, endBytes));
      const end = Buffer.concat([this.#cutEnd, rest]).subarray(-endBytes);
      ftruncateSync(this.#file, headBytes);
      const leftOutBytes = this.#cutBytes + since - end.length;
      writeSync(this.#file, `\n[${leftOutBytes} bytes of the output are left out here]\n`);
      writeSync(this.#file, end);
      return end.subarray(-tailBytes).toString("utf8");
    } catch (error) {
      // A command that ran is not repeated because of this.
      return `(the output could not be read: ${error instanceof Error ? error.message : String(error)})`;
    } finally {
      closeSync(this.#file);
    }
  }
}
