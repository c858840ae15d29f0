/**
 * The executable of this agent: its file name as `bun run build` gives it, and the files next to it
 * that an upgrade uses.
 */
import { realpathSync } from "node:fs";
import { buildTarget } from "../../version.ts";

/** @param program such as "flockcast-peer" @param target such as "windows-x64-baseline" */
export const executableFileName = (program: string, target: string): string =>
  `${program}-${target}${target.startsWith("windows-") ? ".exe" : ""}`;

/** Returns the file name under which a package has this program; null if it is run by `bun`. */
export const ownFileName = (program: string): string | null =>
  buildTarget === null ? null : executableFileName(program, buildTarget);

/** Path of the running executable, read at the start: the file may be replaced later. */
export const ownPath = realpathSync(process.execPath);

/** Adds a word to the name of an executable. Windows starts a file by its ending only. */
export function namedBeside(executable: string, word: string): string {
  const ending = /\.exe$/i.exec(executable)?.[0] ?? "";
  return `${executable.slice(0, executable.length - ending.length)}.${word}${ending}`;
}

/**
 * Returns the paths of an upgrade: `next` is the new executable before it is in place, `previous`
 * the old one after that.
 */
export const pathsBeside = (executable: string): { readonly next: string; readonly previous: string } => ({
  next: namedBeside(executable, "new"),
  previous: namedBeside(executable, "previous"),
});
