import { expect, test } from "bun:test";
import { idleMsOfSession, processEntry, programNameOf, sessionInformation } from "./windows-sessions.ts";

function put(view: DataView, at: number, text: string): void {
  for (const [index, unit] of [...text].entries()) view.setUint16(at + 2 * index, unit.charCodeAt(0), true);
}

test("the program of a process is its file name, also one that fills the field", () => {
  const entry = new DataView(new ArrayBuffer(processEntry.bytes));
  put(entry, processEntry.name, "EXCEL.EXE\0old");
  expect(programNameOf(entry)).toBe("EXCEL.EXE");
  const long = "x".repeat(262);
  put(entry, processEntry.name, long);
  expect(programNameOf(entry)).toBe(long);
});

const hundredNanoseconds = 10_000n;

function session(
  state: number,
  userName: string,
  lastInput: bigint,
  now = 133_500_000_000_000_000n,
): DataView {
  const view = new DataView(new ArrayBuffer(sessionInformation.bytes));
  view.setInt32(sessionInformation.state, state, true);
  put(view, sessionInformation.userName, userName);
  view.setBigInt64(sessionInformation.lastInput, lastInput, true);
  view.setBigInt64(sessionInformation.now, now, true);
  return view;
}
const now = 133_500_000_000_000_000n;

test.each<[what: string, view: DataView, idleMs: number | null]>([
  ["active", session(0, "anna", now - 90_000n * hundredNanoseconds), 90_000],
  ["active, without a known input", session(0, "anna", 0n), 0],
  ["active, with an input after the time of the answer", session(0, "anna", now + 5n), 0],
  ["the console without a user", session(1, "", 0n), null],
  ["active without a user", session(0, "", 0n), null],
  ["disconnected", session(4, "anna", now), null],
  ["cut off", new DataView(new ArrayBuffer(100)), null],
])("a session that is %s has an idle time of %p ms", (_, view, idleMs) => {
  expect(idleMsOfSession(view)).toBe(idleMs);
});
