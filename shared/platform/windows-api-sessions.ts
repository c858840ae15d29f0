/**
 * Calls of Windows by bun:ffi about programs and sessions. `windows-sessions.ts` parses what the
 * calls fill in.
 */
import { dlopen, FFIType, ptr, toArrayBuffer, type Pointer } from "bun:ffi";
import type { SessionState } from "./windows-conditions.ts";
import { fixedBytes, once } from "./windows-memory.ts";
import { processEntry } from "./windows-sessions.ts";

const { i32, i64, u32 } = FFIType;
const pointer = FFIType.ptr;

const snapshots = once(
  () =>
    dlopen("kernel32.dll", {
      CreateToolhelp32Snapshot: { args: [u32, u32], returns: i64 },
      Process32FirstW: { args: [i64, pointer], returns: i32 },
      Process32NextW: { args: [i64, pointer], returns: i32 },
      CloseHandle: { args: [i64], returns: i32 },
    }).symbols,
);
const terminalServices = once(
  () =>
    dlopen("wtsapi32.dll", {
      WTSEnumerateSessionsW: { args: [i64, u32, u32, pointer, pointer], returns: i32 },
      WTSQuerySessionInformationW: { args: [i64, u32, i32, pointer, pointer], returns: i32 },
      WTSFreeMemory: { args: [pointer], returns: FFIType.void },
    }).symbols,
);

/** TH32CS_SNAPPROCESS. */
const allProcesses = 2;

/** Returns a PROCESSENTRY32W for each process; none if Windows gives no list. */
export function processEntries(): DataView[] {
  const { CreateToolhelp32Snapshot, Process32FirstW, Process32NextW, CloseHandle } = snapshots();
  const snapshot = CreateToolhelp32Snapshot(allProcesses, 0);
  if (BigInt(snapshot) === -1n) return [];
  try {
    const entry = fixedBytes(processEntry.bytes);
    new DataView(entry.buffer).setUint32(0, entry.length, true);
    const entries: DataView[] = [];
    let isFilled = Process32FirstW(snapshot, ptr(entry)) !== 0;
    while (isFilled) {
      entries.push(new DataView(entry.buffer.slice(0)));
      isFilled = Process32NextW(snapshot, ptr(entry)) !== 0;
    }
    return entries;
  } finally {
    CloseHandle(snapshot);
  }
}

/** WTS_CURRENT_SERVER_HANDLE. */
const thisServer = 0n;
/** WTS_SESSION_INFOW: session id, name, state. */
const sessionRowBytes = 24;
/** WTSSessionInfo and WTSSessionInfoEx of WTS_INFO_CLASS. */
const sessionInformationClass = 24;
const lockInformationClass = 25;

/** Returns a WTSINFOW for each session of which Windows gives one. */
export const sessionInformations = (): DataView[] =>
  sessionIds()
    .map((id) => sessionInformation(id, sessionInformationClass))
    .filter((information) => information !== null);

/** Returns in addition the WTSINFOEXW, which tells whether the session is locked. */
export const sessionStates = (): SessionState[] =>
  sessionIds().flatMap((id) => {
    const information = sessionInformation(id, sessionInformationClass);
    return information === null ? [] : [{ information, lock: sessionInformation(id, lockInformationClass) }];
  });

function sessionIds(): number[] {
  const { WTSEnumerateSessionsW, WTSFreeMemory } = terminalServices();
  const place = new BigUint64Array(fixedBytes(8).buffer);
  const count = new Uint32Array(fixedBytes(4).buffer);
  if (WTSEnumerateSessionsW(thisServer, 0, 1, ptr(place), ptr(count)) === 0 || count[0] === 0) return [];
  const table = Number(place[0]) as Pointer;
  try {
    const rows = new DataView(toArrayBuffer(table, 0, count[0]! * sessionRowBytes));
    return Array.from({ length: count[0]! }, (_, at) => rows.getUint32(at * sessionRowBytes, true));
  } finally {
    WTSFreeMemory(table);
  }
}

function sessionInformation(id: number, kind: number): DataView | null {
  const { WTSQuerySessionInformationW, WTSFreeMemory } = terminalServices();
  const place = new BigUint64Array(fixedBytes(8).buffer);
  const size = new Uint32Array(fixedBytes(4).buffer);
  const isFilled = WTSQuerySessionInformationW(thisServer, id, kind, ptr(place), ptr(size));
  if (isFilled === 0 || place[0] === 0n) return null;
  const information = Number(place[0]) as Pointer;
  try {
    // Copied, because Windows frees the memory.
    return new DataView(toArrayBuffer(information, 0, size[0]!).slice(0));
  } finally {
    WTSFreeMemory(information);
  }
}
