/** Words of a wake as a reason: what was done for a device that was not awake, and the result. */
import { reason, type Reason } from "../model/reason.ts";
import type { DeviceRecord, TaskRecord, WakeRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { wakeUpMs } from "./wake-plan.ts";
import { wakeAnswerMs } from "./wake-requests.ts";

const problemCodes = {
  "no-waker": "no-waker",
  "no-address": "no-wake-address",
  forbidden: "wake-forbidden",
} as const;

/** @param nameOf host name of a waker */
export function wakeReason(wake: WakeRecord, nameOf: (deviceId: string) => string, nowMs: number): Reason {
  const { problem, askedAtMs, wakers, sentAtMs, sentBy, wokeAtMs, attempts } = wake;
  const names = (ids: readonly string[]): string => ids.map(nameOf).join(", ");
  if (wokeAtMs !== null)
    return sentAtMs === null
      ? reason("awake", { atMs: wokeAtMs })
      : reason("woken", { by: names(sentBy), atMs: wokeAtMs });
  if (problem !== null) return reason(problemCodes[problem]);
  const isOver = nowMs - (askedAtMs ?? 0) >= wakeUpMs;
  if (sentAtMs !== null) {
    const parts = { by: names(sentBy), atMs: sentAtMs };
    return isOver ? reason("did-not-wake", { ...parts, attempts }) : reason("wake-sent", parts);
  }
  const by = names(wakers);
  return nowMs - (askedAtMs ?? 0) >= wakeAnswerMs
    ? reason("wake-not-sent", { by, attempts })
    : reason("wake-asked", { by });
}

/** Returns the function from ids of devices to host names; ids of devices that are gone stay. */
export async function hostNames(
  { catalog }: Pick<SourceContext, "catalog">,
  ids: readonly string[],
): Promise<(id: string) => string> {
  const known = new Map<string, string>();
  for (const id of new Set(ids)) known.set(id, (await catalog.devices.byId(id))?.hostname ?? id);
  return (id) => known.get(id) ?? id;
}

/** Returns the words for devices of a task that has woken some. */
export async function wakeReasons(
  context: Pick<SourceContext, "catalog" | "nowMs">,
  { id }: Pick<TaskRecord, "id">,
  devices: readonly Pick<DeviceRecord, "id">[],
): Promise<Map<string, Reason[]>> {
  const wakes = await context.catalog.wakes.of(
    id,
    devices.map((device) => device.id),
  );
  const nameOf = await hostNames(
    context,
    [...wakes.values()].flatMap(({ wakers }) => wakers),
  );
  const reasonsOf = (wake: WakeRecord): Reason[] => [wakeReason(wake, nameOf, context.nowMs())];
  return new Map(Array.from(wakes, ([deviceId, wake]) => [deviceId, reasonsOf(wake)]));
}
