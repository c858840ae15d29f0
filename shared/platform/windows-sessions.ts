/** Parses what windows-api.ts tells of programs and sessions. Pure. */

/** PROCESSENTRY32W on 64-bit Windows: its size, and the offset of the program's name. */
export const processEntry = { bytes: 568, name: 44 } as const;

const textIn = (view: DataView, at: number, bytes: number): string =>
  Buffer.from(view.buffer, view.byteOffset + at, bytes)
    .toString("utf16le")
    .split("\0")[0]!;

/** Returns the name of the program of a PROCESSENTRY32W, such as "EXCEL.EXE". */
export const programNameOf = (entry: DataView): string =>
  textIn(entry, processEntry.name, processEntry.bytes - processEntry.name);

/** WTSINFOW: its size, and offsets. Times are in units of 100 ns. */
export const sessionInformation = {
  bytes: 216,
  state: 0,
  userName: 130,
  userNameBytes: 42,
  lastInput: 192,
  now: 208,
} as const;

/** WTSActive: a user works at this session, at the machine or over the network. */
const activeState = 0;
const unitsInMs = 10_000;

/**
 * Returns the idle time of a session; null without a user, and for a disconnected session. A
 * session of which Windows knows no input counts as active.
 */
export function idleMsOfSession(information: DataView): number | null {
  const { bytes, state, userName, userNameBytes, lastInput, now } = sessionInformation;
  if (information.byteLength < bytes || information.getInt32(state, true) !== activeState) return null;
  if (textIn(information, userName, userNameBytes) === "") return null;
  const lastInputAt = information.getBigInt64(lastInput, true);
  if (lastInputAt === 0n) return 0;
  return Math.max(0, Number(information.getBigInt64(now, true) - lastInputAt) / unitsInMs);
}
