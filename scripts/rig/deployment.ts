/**
 * One source and its devices as real processes, for the demo, the lab and the end-to-end tests: started with the
 * command lines of a real deployment, asked through the real API. `prefix` puts a process into a namespace.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createAdminClient, type AdminClient } from "../../shared/api/agent-client.ts";
import { launch, logTail, outputOf, type RunningProgram } from "./process.ts";
import type { Programs } from "./programs.ts";

const startLimitMs = 30_000;

export type Source = {
  readonly data: string;
  url: string;
  program: RunningProgram;
  /** Standard output of an administrator's command, without its last line break. */
  readonly admin: (...args: readonly string[]) => Promise<string>;
  /** For programs that share the source's network. */
  readonly client: () => Promise<AdminClient>;
  /** After the source was stopped or killed: starts it again on the same port and data. */
  readonly restart: () => Promise<void>;
};

export type SourceSpec = {
  readonly programs: Programs;
  /** Its data folder; logs lie beside it. */
  readonly data: string;
  readonly listen: string;
  readonly prefix?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** Waits until `ready` answers something, or throws with the tail of the program's log when it ends or takes too long. */
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

export async function startSource(spec: SourceSpec): Promise<Source> {
  await mkdir(spec.data, { recursive: true });
  const urlFile = join(spec.data, "source.url");
  const tokenFile = join(spec.data, "admin.token");
  const command = [...(spec.prefix ?? []), ...spec.programs.commandOf("source")];
  const serve = async (listen: string): Promise<[RunningProgram, string]> => {
    // The file says that it listens, not that it once listened.
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
      (await outputOf([...command, ...args, "--source", source.url, "--token-file", tokenFile])).trimEnd(),
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
  readonly data: string;
  program: RunningProgram;
  /** SIGKILL: as a power cut, as far as the process is concerned. */
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<number>;
  readonly restart: () => void;
};

export type DeviceSpec = {
  readonly programs: Programs;
  readonly name: string;
  readonly data: string;
  readonly sourceUrl: string;
  readonly enrollToken: string;
  /** "representative" is an agent that always volunteers. */
  readonly role?: "peer" | "representative";
  readonly interfaceAddress?: string;
  /** "ADDRESS:PORT" of the multicast group. */
  readonly group?: string;
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

export const enrollTokenOf = async (source: Source): Promise<string> =>
  (await readFile(join(source.data, "enroll.token"), "utf8")).trim();

/** Starts an agent. It enrols by itself; whether it did, the source's device list tells. */
export function startDevice(spec: DeviceSpec): Device {
  const command = [
    ...(spec.prefix ?? []),
    ...spec.programs.commandOf(spec.role ?? "peer"),
    "run",
    "--source",
    spec.sourceUrl,
    "--enroll",
    spec.enrollToken,
    "--data",
    spec.data,
    ...(spec.interfaceAddress ? ["--interface", spec.interfaceAddress] : []),
    ...(spec.group ? ["--group", spec.group] : []),
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
