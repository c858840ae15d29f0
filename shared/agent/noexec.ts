/**
 * Commands on a file system that is mounted `noexec`, as hardened systems mount theirs: a script is
 * run by the interpreter that its first line names; a program cannot be run, and the reason
 * names the mount option. Relies on access(2): on such a file system it refuses X_OK for a file with the mode bit.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";

/** Upper bound on the `#!` line, as in Linux. */
const firstLineBytes = 256;
/** First word of a command with a slash in it, in quotes or not. */
const firstPath =
  /^\s*(?:"([^"$`\\]*\/[^"$`\\]*)"|'([^']*\/[^']*)'|([\w.+,:@%=~-]*\/[\w.+,:@%=/~-]*))(?=[\s;&|<>)]|$)/;

/**
 * Returns the command line to run: `command`, or with the interpreter before its script.
 * @param folder in which the command runs
 * @throws Error when the file system of its program forbids programs
 */
export function startableLine(command: string, folder: string): string {
  const found = firstPath.exec(command);
  const name = found?.[1] ?? found?.[2] ?? found?.[3];
  if (name === undefined) return command;
  const path = resolve(folder, name);
  if (!isForbidden(path)) return command;
  const interpreter = interpreterOf(path);
  if (interpreter !== null) return `${interpreter} ${command.trimStart()}`;
  throw new Error(
    `the command cannot be started: the file system of ${path} is mounted noexec, which forbids programs: mount it without noexec, move the data folder (--data), or copy the program elsewhere in the command`,
  );
}

/** Whether the file has the right to be executed, but its file system refuses. */
function isForbidden(path: string): boolean {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || (stat.mode & 0o100) === 0) return false;
  } catch {
    return false;
  }
  try {
    accessSync(path, constants.X_OK);
    return false;
  } catch {
    return true;
  }
}

/** Returns what follows `#!` in the first line, null in a file without it. */
function interpreterOf(path: string): string | null {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(firstLineBytes);
    const line = bytes.toString("utf8", 0, readSync(file, bytes, 0, firstLineBytes, 0)).split("\n")[0]!;
    return /^#!\s*(\/\S+(?:\s+\S+)*)\s*$/.exec(line)?.[1] ?? null;
  } finally {
    closeSync(file);
  }
}
