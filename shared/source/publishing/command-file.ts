/**
 * File of a package's named commands, in TOML:
 *
 *   [install]
 *   linux = "./install.sh"
 *   macos = "./install.sh"
 *   windows = "./install.ps1 -Quiet"
 *   shell = "powershell"     # of Windows; default: cmd
 */
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { ManifestError } from "../../model/manifest-error.ts";
import {
  commandProblem,
  operatingSystems,
  type CommandShell,
  type NamedCommand,
} from "../../model/package-command.ts";

/** Name of the file that `publish` reads in the root of a folder when no other is named. */
export const commandFileName = "flockcast.toml";

const fileSchema = v.record(
  v.string(),
  v.strictObject({
    linux: v.optional(v.string()),
    macos: v.optional(v.string()),
    windows: v.optional(v.string()),
    shell: v.optional(v.picklist(["cmd", "powershell", "sh"])),
  }),
);
type Section = v.InferOutput<typeof fileSchema>[string];

/** @throws ManifestError that names the file and what is wrong with it */
export async function readCommandFile(file: string): Promise<NamedCommand[]> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new ManifestError(`Cannot read the commands in "${file}": ${error.message}`, { cause: error });
  });
  try {
    return parseCommands(text);
  } catch (error) {
    throw new ManifestError(`Cannot use the commands in "${file}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** @throws Error whose message is for a person */
export function parseCommands(toml: string): NamedCommand[] {
  const parsed = v.safeParse(fileSchema, Bun.TOML.parse(toml));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new Error(
      `[${v.getDotPath(issue) ?? "?"}] ${issue.message}; a section [NAME] has the keys ${[...operatingSystems, "shell"].join(", ")}, each a text`,
    );
  }
  const commands = Object.entries(parsed.output)
    .map(([name, section]): NamedCommand => ({ name, lines: linesOf(name, section) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const problem = commandProblem(commands);
  if (problem) throw new Error(problem);
  return commands;
}

function linesOf(name: string, section: Section): NamedCommand["lines"] {
  const { shell } = section;
  if (shell === "sh" && section.windows !== undefined)
    throw new Error(`[${name}] shell = "sh" does not run on windows: use cmd or powershell there`);
  return operatingSystems.flatMap((os) => {
    const line = section[os];
    if (line === undefined) return [];
    const used: CommandShell = os === "windows" ? (shell === "powershell" ? "powershell" : "cmd") : "sh";
    return [{ os, shell: used, line }];
  });
}
