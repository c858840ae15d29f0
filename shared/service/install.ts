/**
 * Installs a program as a service: the words of its command line, with absolute paths, and its data
 * folder. The enrolment token is copied into the data folder, so the words never have it, and the
 * file that an administrator gave may be removed.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command, Option } from "@commander-js/extra-typings";
import { platform } from "../platform/index.ts";
import { writePrivateFile } from "../platform/private-files.ts";
import { ServiceError } from "../platform/service.ts";
import { buildTarget } from "../version.ts";
import type { ServiceProgram } from "./service-program.ts";

export type InstallOptions = {
  readonly data?: string;
  readonly enroll?: string;
  readonly enrollFile?: string;
  readonly logFile?: string;
  readonly start?: boolean;
  readonly json?: boolean;
  readonly [other: string]: unknown;
};

/** Options of `service install` itself. */
const ownOptions: ReadonlySet<string> = new Set(["start", "json", "service"]);
const standardInput = "-";

/** @returns notes for the administrator */
export async function installService(
  of: ServiceProgram,
  command: Command,
  options: InstallOptions,
): Promise<readonly string[]> {
  const { serviceManager } = platform;
  if (options.enroll !== undefined)
    throw new ServiceError(
      "--enroll would show the token to every user of this machine for the life of the service: give --enroll-file FILE",
    );
  of.check(options);
  const dataFolder = resolve(options.data ?? serviceManager.dataFolderOf(of.name));
  await of.prepareFolder(dataFolder);
  const notes: string[] = [];
  const changed: Record<string, unknown> = { ...options, data: dataFolder };
  const files: string[] = [];
  // An installer passes a property on that nobody has set.
  const given = options.enrollFile || process.env["FLOCKCAST_ENROLL_FILE"];
  delete changed["enrollFile"];
  if (given) {
    changed["enrollFile"] = await copyToken(given, dataFolder, notes);
    files.push(changed["enrollFile"] as string);
  }
  if (options.logFile === undefined && !serviceManager.keepsLog)
    changed["logFile"] = join(dataFolder, "log", `${of.name}.log`);
  const installed = await serviceManager.install({
    name: of.name,
    description: of.description,
    command: [...programWords(), of.command, ...serviceManager.words, ...wordsOf(command.options, changed)],
    dataFolder,
    files,
    user: of.user,
    finalStatuses: of.finalStatuses,
    keepsChildren: of.keepsChildren,
  });
  return [...notes, ...installed];
}

/** Returns the executable; for a script the runtime, its words and the script. */
const programWords = (): string[] =>
  buildTarget === null ? [process.execPath, ...process.execArgv, Bun.main] : [process.execPath];

async function copyToken(given: string, dataFolder: string, notes: string[]): Promise<string> {
  const isInput = given === standardInput;
  const path = join(dataFolder, "enroll.token");
  const from = resolve(given);
  if (!isInput && from === path) return path;
  let text: string;
  try {
    text = (isInput ? await Bun.stdin.text() : await readFile(from, "utf8")).trim();
  } catch (error) {
    throw new ServiceError(
      `The file of the enrolment token cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  if (text === "") throw new ServiceError(`${isInput ? "The standard input" : `"${given}"`} has no token`);
  if (!isInput && platform.accessProblem(from, "secret") !== null)
    notes.push(`other users can read the token in "${given}": remove this file, the service has a copy`);
  await writePrivateFile(path, `${text}\n`);
  return path;
}

/** Options whose value is a path; the service has another working folder. */
const isPath = ({ flags }: Option): boolean => /<(file|dir|folder)>/.test(flags);

/** Returns the words of a command line with these values. */
export function wordsOf(options: readonly Option[], values: Readonly<Record<string, unknown>>): string[] {
  const words: string[] = [];
  for (const option of options) {
    const name = option.attributeName();
    const value = values[name];
    if (ownOptions.has(name) || value === undefined || value === option.defaultValue) continue;
    if (typeof value === "boolean") {
      // "--no-tls" has the value false.
      if (value !== option.negate) words.push(option.long!);
      continue;
    }
    for (const each of Array.isArray(value) ? value : [value])
      words.push(option.long!, isPath(option) ? resolve(String(each)) : String(each));
  }
  return words;
}
