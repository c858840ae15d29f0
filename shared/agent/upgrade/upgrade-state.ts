/**
 * State of the last upgrade of an agent, in the file `upgrade.json` of the data folder. Old agent,
 * supervisor and new agent read it, which are programs of different versions.
 *
 *     prepared → trial → confirmed → placed
 *         └────────┴─────────┴─────→ failed
 */
import { join } from "node:path";
import * as v from "valibot";
import { writePrivateFileNow } from "../../platform/private-files.ts";
import { readStateFile } from "../state-file.ts";

const fileName = "upgrade.json";
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const shortText = v.pipe(v.string(), v.maxLength(64));

const stepSchema = v.variant("kind", [
  /** The new executable is next to the running one, and has printed its version. */
  v.object({ kind: v.literal("prepared") }),
  /** The new executable is tried. `starts` counts its starts. */
  v.object({ kind: v.literal("trial"), starts: count }),
  /** The new agent has checked in. The executable is not in place yet. */
  v.object({ kind: v.literal("confirmed") }),
  v.object({ kind: v.literal("placed") }),
  /** The old agent runs again. `why`: what the new one did, for example "exited with status 1". */
  v.object({ kind: v.literal("failed"), why: v.pipe(v.string(), v.maxLength(1_000)) }),
]);

export const upgradeStateSchema = v.object({
  /** A later version adds fields, or takes another number. */
  format: v.literal(1),
  /** Names the attempt of the task. */
  taskId: count,
  key: shortText,
  /** Path of the executable that is replaced. */
  executable: v.string(),
  /** Versions of the old and the new agent. */
  before: shortText,
  version: shortText,
  /** Time within which the new agent has to check in, for each start. */
  confirmMs: count,
  step: stepSchema,
});
export type UpgradeState = v.InferOutput<typeof upgradeStateSchema>;
export type UpgradeStep = UpgradeState["step"];

/** Whether the executable to run in the end is not known yet. */
export const isUnderWay = ({ step: { kind } }: UpgradeState): boolean =>
  kind === "prepared" || kind === "trial" || kind === "confirmed";

/** Returns null without an upgrade, and when the file cannot be read. */
export const readUpgrade = (dataFolder: string): UpgradeState | null =>
  readStateFile(join(dataFolder, fileName), upgradeStateSchema);

/**
 * Replaces the file. Durable against a power cut when it returns.
 * @throws Error of the file system
 */
export function writeUpgrade(dataFolder: string, state: UpgradeState): void {
  writePrivateFileNow(join(dataFolder, fileName), `${JSON.stringify(state)}\n`);
}
