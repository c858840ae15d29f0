/**
 * Follows a task until every device has ended it, and measures when each completed it. The details
 * come from a stream of the caller.
 */
import type { AdminClient } from "../../shared/api/agent-client.ts";
import type { TaskDetail, TaskDevice } from "../../shared/api/schema/admin.ts";
import { endStates } from "../../shared/api/schema/common.ts";

type FollowedTask = {
  readonly detail: TaskDetail;
  /** Time from the task's creation to the device's report of completion, by device id. */
  readonly completeAfterMs: ReadonlyMap<string, number>;
};

const ended = (device: TaskDevice): boolean => endStates.has(device.state);

/** Yields the task's details in intervals, for callers that can reach the source's network. */
export async function* pollTask(
  client: AdminClient,
  taskId: number,
  intervalMs: number,
  signal: AbortSignal,
): AsyncGenerator<TaskDetail> {
  while (!signal.aborted) {
    yield await client.task(taskId, "all", signal);
    await Bun.sleep(intervalMs);
  }
}

/**
 * Reads details until `devices` devices have ended the task, `limitMs` is over, or the stream ends.
 * @param stream details of the task; each is passed to `onDetail`, which is awaited
 * @throws Error when the stream yields nothing
 */
export async function followTask(
  stream: AsyncIterable<TaskDetail>,
  options: {
    readonly devices: number;
    readonly limitMs: number;
    readonly onDetail?: (detail: TaskDetail) => void | Promise<void>;
  },
): Promise<FollowedTask> {
  const completeAfterMs = new Map<string, number>();
  const giveUpAtMs = performance.now() + options.limitMs;
  let last: TaskDetail | null = null;
  for await (const detail of stream) {
    last = detail;
    for (const device of detail.deviceList) {
      if (device.state === "complete" && !completeAfterMs.has(device.deviceId)) {
        completeAfterMs.set(device.deviceId, device.updatedAtMs - detail.createdAtMs);
      }
    }
    await options.onDetail?.(detail);
    if (detail.deviceList.filter(ended).length >= options.devices) break;
    if (performance.now() > giveUpAtMs) break;
  }
  if (!last) throw new Error("The source returned no details of the task");
  return { detail: last, completeAfterMs };
}

export const shareOf = (device: TaskDevice): number =>
  device.bytesTotal > 0 ? device.bytesVerified / device.bytesTotal : 0;

/** Returns the shares of the package by origin, as "multicast 84 %, peers 3 %". */
export function originText(device: Pick<TaskDevice, "bytesTotal" | "from">): string {
  if (device.bytesTotal === 0) return "";
  return (["wan", "multicast", "peers", "cache"] as const)
    .filter((origin) => device.from[origin] > 0)
    .map((origin) => `${origin} ${((100 * device.from[origin]) / device.bytesTotal).toFixed(0)} %`)
    .join(", ");
}
