/** State of a device, and badge with the state of a task on it. */
import type { TaskDevice } from "../../../api/schema/admin.ts";
import type { Device } from "../../../api/schema/device.ts";
import { approvalCodeText } from "../../../model/approval-code-text.ts";
import { Badge } from "./elements.tsx";
import { messages } from "./language.ts";

const busyStates: ReadonlySet<TaskDevice["state"]> = new Set([
  "downloading",
  "receiving",
  "repairing",
  "verifying",
  "running",
]);

/** Returns whether the device takes part, or what it waits for. */
export function lifeText({ state, approvalCode }: Pick<Device, "state" | "approvalCode">): string {
  const { codeOnScreen, lifeStates } = messages.value;
  return approvalCode === null ? lifeStates[state] : codeOnScreen(approvalCodeText(approvalCode));
}

export function DeviceState({ state }: { state: TaskDevice["state"] }) {
  const kind =
    state === "complete" ? "good" : state === "failed" ? "bad" : busyStates.has(state) ? "busy" : "quiet";
  return <Badge kind={kind} text={messages.value.deviceStates[state]} />;
}
