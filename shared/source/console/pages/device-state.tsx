/** Badge with the state of a task on a device. */
import type { TaskDevice } from "../../../api/schema/admin.ts";
import { Badge } from "./elements.tsx";
import { messages } from "./language.ts";

const busyStates: ReadonlySet<TaskDevice["state"]> = new Set([
  "downloading",
  "receiving",
  "repairing",
  "verifying",
  "running",
]);

export function DeviceState({ state }: { state: TaskDevice["state"] }) {
  const kind =
    state === "complete" ? "good" : state === "failed" ? "bad" : busyStates.has(state) ? "busy" : "quiet";
  return <Badge kind={kind} text={messages.value.deviceStates[state]} />;
}
