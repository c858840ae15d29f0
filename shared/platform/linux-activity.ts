/**
 * Programs and users of Linux: reads /proc, the sessions of logind and, without them, utmp. A file
 * that cannot be read counts as empty.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { outputOf } from "./run-program.ts";

type SessionPlaces = { readonly sessionsFolder: string; readonly loginRecords: string };
const systemPlaces: SessionPlaces = {
  sessionsFolder: "/run/systemd/sessions",
  loginRecords: "/var/run/utmp",
};

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const bytesOf = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
};

/**
 * Returns the names of the running programs: that of each process, which has at most 15 characters,
 * and that of its executable. Of processes of other users, only root may read the executable: then
 * the name is that of the command line.
 */
export async function runningPrograms(): Promise<string[]> {
  const names = new Set<string>();
  for (const entry of namesIn("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const name = bytesOf(`/proc/${entry}/comm`).toString().trimEnd();
    if (name !== "") names.add(name);
    const executable = executableOf(entry) ?? commandNameOf(entry);
    if (executable !== "") names.add(executable);
  }
  return [...names];
}

/** @returns null if it cannot be read, and for a process that has ended */
function executableOf(pid: string): string | null {
  try {
    // An update of a running program removes its file.
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  } catch {
    return null;
  }
}

/** @returns "" for a thread of the kernel */
const commandNameOf = (pid: string): string =>
  basename(bytesOf(`/proc/${pid}/cmdline`).toString().split("\0")[0]!);

/** A session of a local user. */
export type LocalSession = {
  readonly id: string;
  /** Terminal below /dev; null for a graphical session. */
  readonly terminal: string | null;
};

/** @returns null if the session is not one of a local user, or not in the foreground */
export function localSession(id: string, text: string): LocalSession | null {
  const fields = new Map(text.split("\n").map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  const isUser = (fields.get("CLASS") ?? "user").startsWith("user");
  const isLocal = fields.get("REMOTE") !== "1" && fields.get("TYPE") !== "unspecified";
  if (!isUser || !isLocal || fields.get("ACTIVE") !== "1" || fields.get("STATE") === "closing") return null;
  const isGraphical = /^(x11|wayland|mir)$/.test(fields.get("TYPE") ?? "");
  return { id, terminal: isGraphical ? null : (fields.get("TTY") ?? null) };
}

/**
 * Returns the idle time in the output of `loginctl show-session -p IdleHint -p IdleSinceHint`. A
 * session without the hint counts as active.
 */
export function idleMsOfHint(text: string, nowMs: number): number {
  if (!/^IdleHint=yes$/m.test(text)) return 0;
  const sinceMs = Number(/^IdleSinceHint=(\d+)$/m.exec(text)?.[1] ?? Number.NaN) / 1_000;
  return Number.isNaN(sinceMs) ? 0 : Math.max(0, nowMs - sinceMs);
}

/** Layout of `struct utmp` on 64-bit Linux. */
const utmp = { bytes: 384, userProcess: 7, line: 8, lineBytes: 32, host: 76, hostBytes: 256 } as const;

const textIn = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.subarray(at, at + length))
    .toString()
    .split("\0")[0]!;

/** Returns the terminals of local users in a file of login records. */
export function terminalsIn(records: Uint8Array): string[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const found: string[] = [];
  for (let at = 0; at + utmp.bytes <= records.length; at += utmp.bytes) {
    if (view.getInt16(at, true) !== utmp.userProcess) continue;
    const host = textIn(records, at + utmp.host, utmp.hostBytes);
    // A display of this machine begins with a colon.
    if (host === "" || host.startsWith(":")) found.push(textIn(records, at + utmp.line, utmp.lineBytes));
  }
  return found;
}

/** The kernel sets the access time of a terminal when it reads input. */
function terminalIdleMs(terminal: string, nowMs: number): number | null {
  try {
    return Math.max(0, nowMs - statSync(`/dev/${terminal}`).atimeMs);
  } catch {
    // A record without a terminal is a display, about which nothing is known: its user is active.
    return terminal.startsWith(":") ? 0 : null;
  }
}

async function sessionIdleMs({ id, terminal }: LocalSession, nowMs: number): Promise<number | null> {
  if (terminal !== null) return terminalIdleMs(terminal, nowMs);
  const hint = ["show-session", id, "-p", "IdleHint", "-p", "IdleSinceHint"];
  return idleMsOfHint(await outputOf(["loginctl", ...hint]), nowMs);
}

function localSessions({ sessionsFolder, loginRecords }: SessionPlaces): LocalSession[] {
  if (!existsSync(sessionsFolder)) return terminalsIn(bytesOf(loginRecords)).map(sessionOfTerminal);
  // A session has also a file NAME.ref.
  return namesIn(sessionsFolder)
    .filter((id) => !id.includes("."))
    .map((id) => localSession(id, bytesOf(`${sessionsFolder}/${id}`).toString()))
    .filter((session) => session !== null);
}

const sessionOfTerminal = (terminal: string): LocalSession => ({ id: terminal, terminal });

/** @returns the shortest time without input of the sessions; null without a session */
export async function shortestIdleMs(places: SessionPlaces): Promise<number | null> {
  const nowMs = Date.now();
  const idle = await Promise.all(localSessions(places).map((session) => sessionIdleMs(session, nowMs)));
  const known = idle.filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
}

export const userIdleMs = (): Promise<number | null> => shortestIdleMs(systemPlaces);
