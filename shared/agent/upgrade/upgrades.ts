/**
 * Upgrades of this agent, as its device uses them (device/ports.ts): over the executable's folder
 * and the state in `upgrade.json`.
 */
import type { UpgradeEnd, Upgrades } from "../../device/ports.ts";
import { notTriedText } from "../../device/upgrade-text.ts";
import { version } from "../../version.ts";
import { ownFileName, ownPath } from "./executable.ts";
import { prepareExecutable } from "./new-executable.ts";
import { discardNext } from "./placement.ts";
import { isUnderWay, readUpgrade, writeUpgrade, type UpgradeState } from "./upgrade-state.ts";

type UpgradesOptions = {
  readonly dataFolder: string;
  /** Such as "flockcast-peer". */
  readonly program: string;
  readonly isTrial: boolean;
  /** Called when this process has to end for the new executable. */
  readonly onBegin: () => void;
};

export function upgradesOf({ dataFolder, program, isTrial, onBegin }: UpgradesOptions): Upgrades {
  const fileName = ownFileName(program);
  return {
    version,
    fileName,
    isTrial,
    prepare: (path, signal) => prepareExecutable(path, ownPath, fileName ?? program, signal),
    discard: () => discardNext(ownPath).catch(() => {}),
    begin: ({ taskId, key, version: found, confirmMs }) => {
      writeUpgrade(dataFolder, {
        format: 1,
        taskId,
        key,
        executable: ownPath,
        before: version,
        version: found,
        confirmMs,
        step: { kind: "prepared" },
      });
      onBegin();
    },
    adopt: async ({ taskId, key }) => {
      if (isTrial) return new Promise<never>(() => {});
      const state = readUpgrade(dataFolder);
      if (state?.taskId !== taskId || state.key !== key) return null;
      return endOf(isUnderWay(state) ? abandoned(dataFolder, state) : state);
    },
  };
}

/** Gives up an upgrade that no supervisor continues: its state could not be written. */
function abandoned(dataFolder: string, state: UpgradeState): UpgradeState {
  const why = notTriedText("the state of the upgrade could not be written");
  const failed: UpgradeState = { ...state, step: { kind: "failed", why } };
  try {
    writeUpgrade(dataFolder, failed);
  } catch {
    // The next start of the agent then continues the upgrade, whose task has failed.
  }
  return failed;
}

const endOf = ({ step, version: found, before }: UpgradeState): UpgradeEnd => ({
  version: found,
  before,
  why: step.kind === "failed" ? step.why : null,
});
