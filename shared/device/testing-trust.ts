/** Real checks of a new device on an answer, for tests of the source. */
import type { AgentSetting, AgentTask, AssignedTask, CheckInResponse } from "../api/schema/agent.ts";
import { selfOf } from "../model/target/testing-target.ts";
import { TrustKeeper } from "./trust-keeper.ts";

/** A check-in's answer in which tasks and own setting are those that count. */
export type ObeyedAnswer = Omit<CheckInResponse, "tasks" | "ownSetting"> & {
  readonly tasks: readonly AgentTask[];
  readonly ownSetting: AgentSetting;
};
type Answer = Omit<CheckInResponse, "tasks"> & { readonly tasks: readonly AssignedTask[] };

/** @throws Error when the device refuses a statement of the answer */
export function obeyed(
  answer: Answer,
  device: { readonly deployment: number; readonly root: string | null; readonly hostname: string },
  nowMs: number,
): ObeyedAnswer {
  const keeper = new TrustKeeper({
    ledger: { trust: () => null, saveTrust: () => {} },
    anchor: device,
    wallMs: () => nowMs,
    self: () => selfOf({ id: "", names: [device.hostname], subnet: null }),
    log: { warn: () => {}, error: () => {} },
  });
  const { tasks, ownSetting, refused } = keeper.take(answer);
  if (refused.length > 0 || ownSetting === null) throw new Error(`refused: ${JSON.stringify(refused)}`);
  return { ...answer, tasks, ownSetting };
}
