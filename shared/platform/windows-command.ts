/**
 * Commands on Windows: the line that runs the administrator's text and stores its exit status, and
 * the environment. The texts themselves travel in variables, so that no shell reads them twice.
 */
import { win32 } from "node:path";
import type { CommandShell } from "../model/package-command.ts";
import type { CommandSpec, StartedCommand } from "./platform.ts";
import { startProcess } from "./windows-process.ts";

/** Script of PowerShell at the beginning of a command, in quotes or not. */
const powerShellScript = /^\s*(?:"[^"]+\.ps1"|[^\s"&|<>]+\.ps1)(?=\s|$)/i;
const powerShell = "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass";

/**
 * PowerShell ends with 0 or 1, whatever status a script or a program ended with: 3010 would be
 * lost. Progress would be written to the standard error as XML.
 */
const powerShellText = (command: string): string =>
  [
    "$ProgressPreference = 'SilentlyContinue'",
    command,
    "$succeeded = $?",
    "if ($LASTEXITCODE) { exit $LASTEXITCODE }",
    "if (-not $succeeded) { exit 1 }",
  ].join("\n");

/**
 * cmd.exe replaces !NAME! (/v:on) after it has read the line, so quotation marks, `%`, `&` and `^`
 * of the command mean nothing to the first cmd.exe. The second one removes the first and the last
 * quotation mark of its argument (/s), and takes what is between them as it is.
 */
const cmdRunner = '"%ComSpec%" /d /s /c "!FLOCKCAST_COMMAND!"';
/** An encoded command would be longer than the 8,191 characters that cmd.exe accepts. */
const powerShellRunner = `${powerShell} -Command Invoke-Expression $env:FLOCKCAST_COMMAND`;

/**
 * Stores the exit status after the key as one line, which ends with CR LF. ERRORLEVEL needs command
 * extensions (/e:on). No rename, which a scanner that reads the new file would prevent.
 */
const recorder = (runner: string): string =>
  [
    runner,
    "set FLOCKCAST_EXIT=!ERRORLEVEL!",
    '>"!FLOCKCAST_STATUS!" echo !FLOCKCAST_KEY! !FLOCKCAST_EXIT!',
    "exit !FLOCKCAST_EXIT!",
  ].join("&");

type RecordedLine = { readonly words: string; readonly text: string };

/**
 * Returns the words of the first cmd.exe, and the text for FLOCKCAST_COMMAND. cmd.exe itself would
 * open a .ps1 file in an editor.
 */
export function recordedLine(command: string, named: CommandShell | null): RecordedLine {
  const isPowerShell = named === "powershell";
  const isScript = !isPowerShell && powerShellScript.test(command);
  const line = isScript ? `${powerShell} -File ${command.trimStart()}` : command;
  return {
    words: `cmd.exe /d /e:on /v:on /s /c "${recorder(isPowerShell ? powerShellRunner : cmdRunner)}"`,
    text: isPowerShell ? powerShellText(command) : line,
  };
}

/** Variables of Windows that programs need to find the system, its folders and each other. */
const environmentNames =
  /^(SystemRoot|SystemDrive|windir|ComSpec|Path|PATHEXT|PSModulePath|TEMP|TMP|OS|NUMBER_OF_PROCESSORS|PROCESSOR_\w+|COMPUTERNAME|USERNAME|USERDOMAIN|USERPROFILE|APPDATA|LOCALAPPDATA|HOMEDRIVE|HOMEPATH|ALLUSERSPROFILE|PUBLIC|ProgramData|(Common)?ProgramFiles(\(x86\))?|(Common)?ProgramW6432)$/i;

export const systemEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => environmentNames.test(entry[0])),
  );

export function startCommand(spec: CommandSpec): StartedCommand {
  const { words, text } = recordedLine(spec.line, spec.shell);
  const program = win32.join(process.env["SystemRoot"] ?? String.raw`C:\Windows`, "System32", "cmd.exe");
  return startProcess({
    program,
    commandLine: words,
    folder: win32.resolve(spec.folder),
    environment: {
      ...systemEnvironment(),
      ...spec.environment,
      ComSpec: program,
      FLOCKCAST_COMMAND: text,
      FLOCKCAST_KEY: spec.status.key,
      FLOCKCAST_STATUS: win32.resolve(spec.status.path),
    },
    outputPath: win32.resolve(spec.outputPath),
  });
}
