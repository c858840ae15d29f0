/**
 * Named commands of a package, such as `install`: one command line per operating system. They are
 * part of the signed manifest; a task names one.
 */

/** In the order in which a manifest lists them. */
export const operatingSystems = ["linux", "macos", "windows"] as const;
export type OperatingSystem = (typeof operatingSystems)[number];
export type CommandShell = "sh" | "cmd" | "powershell";
export type CommandLine = {
  readonly os: OperatingSystem;
  /** `sh` on Linux and macOS; `cmd` or `powershell` on Windows. */
  readonly shell: CommandShell;
  readonly line: string;
};
export type NamedCommand = { readonly name: string; readonly lines: readonly CommandLine[] };

export const commandsMax = 32;
export const commandLineCharactersMax = 8_192;

/** Returns why `name` cannot name a command, or null. */
export const commandNameProblem = (name: string): string | null =>
  /^[a-z][a-z0-9-]{0,31}$/.test(name)
    ? null
    : "it must begin with a-z and have at most 32 characters of a-z 0-9 -";

/** Returns a sentence on the first command that a package cannot have, or null. */
export function commandProblem(commands: readonly NamedCommand[]): string | null {
  if (commands.length > commandsMax)
    return `the package has ${commands.length} commands, more than ${commandsMax}`;
  for (const [index, { name, lines }] of commands.entries()) {
    const problem = commandNameProblem(name) ?? linesProblem(lines);
    if (problem) return `the command "${name}" cannot be used: ${problem}`;
    if (index > 0 && commands[index - 1]!.name >= name)
      return `the command "${name}" is not in alphabetical order`;
  }
  return null;
}

/** Returns the command line of a system, or null if the package has none for it. */
export const commandFor = (
  commands: readonly NamedCommand[],
  name: string,
  os: OperatingSystem,
): CommandLine | null =>
  commands.find((command) => command.name === name)?.lines.find((line) => line.os === os) ?? null;

function linesProblem(lines: readonly CommandLine[]): string | null {
  if (lines.length === 0) return "it has no command line for any operating system";
  let last = -1;
  for (const { os, shell, line } of lines) {
    const at = operatingSystems.indexOf(os);
    if (at <= last) return `"${os}" is unknown, or not in the order ${operatingSystems.join(", ")}`;
    last = at;
    const shells: readonly CommandShell[] = os === "windows" ? ["cmd", "powershell"] : ["sh"];
    if (!shells.includes(shell))
      return `the shell "${shell}" does not run on ${os}: use ${shells.join(" or ")}`;
    if (line.trim() === "" || line.includes("\0")) return `its line for ${os} is empty or has a NUL`;
    if (line.length > commandLineCharactersMax)
      return `its line for ${os} has more than ${commandLineCharactersMax} characters: call a script of the package`;
  }
  return null;
}
