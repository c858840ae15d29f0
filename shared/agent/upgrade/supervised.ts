/**
 * An agent that a supervisor started (supervisor.ts): the channel to it. The agent ends when the
 * supervisor asks for that, and at once when the supervisor has ended.
 */
import { version } from "../../version.ts";
import { readUpgrade, writeUpgrade } from "./upgrade-state.ts";

/** Environment variable that tells an agent that it has a supervisor. */
export const supervisedVariable = "FLOCKCAST_SUPERVISED";
/** `trial`: a new version that has to check in; `agent`: any other start. */
export type SupervisedAs = "trial" | "agent";
/** Exit status by which an agent asks for the upgrade that it has prepared. */
export const upgradeStatus = 79;
export const stopMessage = "stop";

/** Status of an agent whose supervisor has ended. */
const orphanStatus = 1;

/**
 * Returns how this process is supervised; null: not at all. Exits when the supervisor has ended
 * since it started this process.
 */
export function supervision(): SupervisedAs | null {
  const as = process.env[supervisedVariable];
  if (as !== "trial" && as !== "agent") return null;
  return process.connected ? as : process.exit(orphanStatus);
}

/** @param onStop called when the supervisor asks this process to stop */
export function followSupervisor(onStop: () => void): void {
  process.on("message", (message) => {
    if (message === stopMessage) onStop();
  });
  // The ledger is safe against a kill, and a supervisor that is started again needs the folder.
  process.on("disconnect", () => process.exit(orphanStatus));
}

/**
 * Notes that this new version has checked in.
 * @returns false if this is not the version that is tried
 * @throws Error of the file system
 */
export function confirmTrial(dataFolder: string): boolean {
  const state = readUpgrade(dataFolder);
  if (state?.step.kind !== "trial" || state.version !== version) return false;
  writeUpgrade(dataFolder, { ...state, step: { kind: "confirmed" } });
  return true;
}
