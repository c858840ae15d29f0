/**
 * A machine under Wine that stays on, with the service control manager of Wine. A program of the
 * flockcast programs is installed in the place of the packages.
 */
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { launch, runToEnd } from "../scripts/rig/process.ts";
import { addRandomLibrary, openWine, wineServer } from "../scripts/rig/wine.ts";
import { until } from "./harness.ts";

/** Path of an installed program, as Windows writes it. */
export const installedPath = (program: string): string => `C:\\Program Files\\flockcast\\${program}.exe`;

/** Starts the machine for a program; it stays on until `killAll`. */
export async function openWindowsMachine(folder: string, program: string) {
  const wine = await openWine(join(folder, "prefix"), []);
  // The service control manager writes what it is asked for to the log of the first program.
  const environment = { ...wine.environment, WINEDEBUG: "fixme+service" };
  const logFile = join(folder, "wine.log");
  const words = ["cmd", "/c", "echo ready& ping -n 900 127.0.0.1 >nul"];
  const log = (): Promise<string> => readFile(logFile, "utf8").catch(() => "");
  const start = async (): Promise<void> => {
    await rm(logFile, { force: true });
    launch({ name: "wine", command: [...wine.command, ...words], logFile, env: environment });
    await until(log, 60_000, async () => (await log()).includes("ready") || null);
  };
  const killAll = async (): Promise<void> =>
    void (await runToEnd([wineServer, "--kill", "--wait"], { env: wine.environment }));
  await start();
  const drive = join(folder, "prefix", "drive_c");
  const programFolder = join(drive, "Program Files", "flockcast");
  await mkdir(programFolder, { recursive: true });
  await addRandomLibrary(programFolder);
  // Wine adds the rights of others in the parent to those that a program gives a file.
  await chmod(join(drive, "ProgramData"), 0o700);
  const data = join(drive, "ProgramData", program === "flockcast-peer" ? "flockcast" : program);
  const run = (...command: readonly string[]) =>
    runToEnd(["timeout", "60", ...wine.command, ...command], { env: wine.environment });
  return {
    /** Folder of the installed program. */
    programFolder,
    data,
    log,
    run,
    programLog: () => readFile(join(data, "log", `${program}.log`), "utf8").catch(() => ""),
    service: async (word: string): Promise<{ state: string; pid: number | null }> => {
      const { status, stdout, stderr } = await run(installedPath(program), "service", word, "--json");
      if (status !== 0) throw new Error(`service ${word} ended with status ${status}: ${stderr}`);
      return JSON.parse(stdout) as { state: string; pid: number | null };
    },
    start,
    /** Ends all programs at once, as a power cut does. */
    killAll,
  };
}

export type WindowsMachine = Awaited<ReturnType<typeof openWindowsMachine>>;

/**
 * Returns the time between two messages, the last ones of a program's log.
 * @param begin message at the request to stop; `end`: the last one of the program
 */
export function stopMsOf(log: string, begin: string, end: string): number {
  const lines = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { time: string; msg: string });
  const timeOf = (message: string): number =>
    Date.parse(lines.findLast(({ msg }) => msg === message)?.time ?? "");
  return timeOf(end) - timeOf(begin);
}
