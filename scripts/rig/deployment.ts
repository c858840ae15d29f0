/**
 * A source and its devices as real processes, for the demo, the lab and the end-to-end tests. They
 * are started with the command lines of a real deployment and queried through the real API. A
 * `prefix` runs a process inside a network namespace.
 */
import { writeFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createAdminClient, type AdminClient } from "../../shared/api/agent-client.ts";
import { plainHttpFlag, plainHttpProblem } from "../../shared/api/plain-http.ts";
import { launch, logTail, outputOf, type RunningProgram } from "./process.ts";
import type { Programs } from "./programs.ts";

const startLimitMs = 30_000;

export type Source = {
  /** Data folder. */
  readonly data: string;
  url: string;
  program: RunningProgram;
  /**
   * Runs an administrator's command and returns its standard output without the last line break.
   * @throws Error when the exit status is not 0
   */
  readonly admin: (...args: readonly string[]) => Promise<string>;
  /** Client of the administrator's API, for callers that can reach the source's network. */
  readonly client: () => Promise<AdminClient>;
  /** Starts a source that was stopped or killed again, on the same port and data. */
  readonly restart: () => Promise<void>;
};

type SourceSpec = {
  readonly programs: Programs;
  /** Data folder; the log is the file `<data>.log`. */
  readonly data: string;
  readonly listen: string;
  readonly prefix?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** Words that allow plain HTTP to a source in another namespace. */
const plainWords = (url: string): string[] => (plainHttpProblem(url) === null ? [] : [plainHttpFlag]);

/**
 * Waits until `ready` returns a value.
 * @throws Error with the tail of the log when the program exits or is not ready in time
 */
async function untilReady<T>(program: RunningProgram, ready: () => Promise<T | null>): Promise<T> {
  const giveUpAtMs = Date.now() + startLimitMs;
  for (;;) {
    const answer = await ready();
    if (answer !== null) return answer;
    const status = program.exitStatus();
    const what =
      status === null ? `is not ready after ${startLimitMs / 1_000} s` : `ended with status ${status}`;
    if (status !== null || Date.now() > giveUpAtMs) {
      throw new Error(
        `${program.name} ${what}. The end of its log (${program.logFile}):\n${await logTail(program)}`,
      );
    }
    await Bun.sleep(50);
  }
}

const textOf = async (file: string): Promise<string | null> => {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim() === "" ? null : text.trim();
};

/**
 * Starts a source and waits until it listens.
 * @throws Error with the tail of the log when it does not listen within 30 s
 */
export async function startSource(spec: SourceSpec): Promise<Source> {
  await mkdir(spec.data, { recursive: true });
  const urlFile = join(spec.data, "source.url");
  const tokenFile = join(spec.data, "admin.token");
  const command = [...(spec.prefix ?? []), ...spec.programs.commandOf("source")];
  const serve = async (listen: string): Promise<[RunningProgram, string]> => {
    // A file of an earlier run would be taken for that of this one.
    await rm(urlFile, { force: true });
    const program = launch({
      name: "source",
      command: [...command, "serve", "--data", spec.data, "--listen", listen, ...(spec.args ?? [])],
      logFile: `${spec.data}.log`,
      ...(spec.env ? { env: spec.env } : {}),
    });
    return [program, await untilReady(program, () => textOf(urlFile))];
  };
  const [program, url] = await serve(spec.listen);
  const source: Source = {
    data: spec.data,
    url,
    program,
    admin: async (...args) =>
      (
        await outputOf([
          ...command,
          ...args,
          "--source",
          source.url,
          "--token-file",
          tokenFile,
          ...plainWords(source.url),
        ])
      ).trimEnd(),
    client: async () => createAdminClient({ sourceUrl: source.url, token: (await textOf(tokenFile)) ?? "" }),
    restart: async () => {
      const [again, sameUrl] = await serve(new URL(source.url).host);
      source.program = again;
      source.url = sameUrl;
    },
  };
  return source;
}

export type Device = {
  readonly name: string;
  /** Data folder. */
  readonly data: string;
  program: RunningProgram;
  /** Sends SIGKILL: the agent gets no chance to save anything, as after a power cut. */
  readonly kill: () => Promise<void>;
  /** Sends SIGTERM and returns the exit status. */
  readonly stop: () => Promise<number>;
  readonly restart: () => void;
};

type DeviceSpec = {
  readonly programs: Programs;
  readonly name: string;
  readonly data: string;
  readonly sourceUrl: string;
  /** Null for a device that is enrolled already. */
  readonly enrollToken: string | null;
  /** Program to run; "representative" is an agent that always volunteers. Default: "peer". */
  readonly role?: "peer" | "representative";
  readonly interfaceAddress?: string;
  /** Multicast group as "ADDRESS:PORT". */
  readonly group?: string;
  readonly prefix?: readonly string[];
  /** Further words of the command line. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** Returns the metrics of a source. Its certificate is not checked. */
export async function metricsOf({ url, data }: Pick<Source, "url" | "data">): Promise<string> {
  const token = (await readFile(join(data, "admin.token"), "utf8")).trim();
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${url}/metrics`, { headers, tls: { rejectUnauthorized: false } })).text();
}

export const enrollTokenOf = async (source: Source): Promise<string> =>
  (await readFile(join(source.data, "enroll.token"), "utf8")).trim();

/** Writes the token next to the data folder; the words of a process are public. */
function tokenFileOf(data: string, token: string): string {
  const file = `${data}.enroll`;
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

/** Starts an agent and does not wait: the source's device list shows when it has enrolled. */
export function startDevice(spec: DeviceSpec): Device {
  const command = [
    ...(spec.prefix ?? []),
    ...spec.programs.commandOf(spec.role ?? "peer"),
    "run",
    "--source",
    spec.sourceUrl,
    ...plainWords(spec.sourceUrl),
    ...(spec.enrollToken === null ? [] : ["--enroll-file", tokenFileOf(spec.data, spec.enrollToken)]),
    "--data",
    spec.data,
    // Devices on loopback share their address, and all but one would log that the port is taken.
    ...(spec.interfaceAddress ? ["--interface", spec.interfaceAddress, "--lan-port", "0"] : []),
    ...(spec.group ? ["--group", spec.group] : []),
    ...(spec.args ?? []),
  ];
  const start = () =>
    launch({ name: spec.name, command, logFile: `${spec.data}.log`, ...(spec.env ? { env: spec.env } : {}) });
  const device: Device = {
    name: spec.name,
    data: spec.data,
    program: start(),
    kill: async () => void (await device.program.stop("SIGKILL")),
    stop: () => device.program.stop(),
    restart: () => {
      device.program = start();
    },
  };
  return device;
}
