/** Follows a task until every device has ended it, and says when each did. Where the details come from is handed in. */
import type { AdminClient } from "../../shared/api/agent-client.ts";
import type { TaskDetail, TaskDevice } from "../../shared/api/schema/admin.ts";

export type FollowedTask = {
  readonly detail: TaskDetail;
  /** From the task's creation until the device reported completion, by device id. */
  readonly completeAfterMs: ReadonlyMap<string, number>;
};

const ended = (device: TaskDevice): boolean => ["complete", "failed", "cancelled"].includes(device.state);

/** Asks the source again and again; for programs that share its network. */
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
 * Reads details until `devices` devices have ended the task, or the time is over, or the feed ends.
 * `onDetail` may act upon what it sees; it is awaited.
 */
export async function followTask(
  feed: AsyncIterable<TaskDetail>,
  options: {
    readonly devices: number;
    readonly limitMs: number;
    readonly onDetail?: (detail: TaskDetail) => void | Promise<void>;
  },
): Promise<FollowedTask> {
  const completeAfterMs = new Map<string, number>();
  const giveUpAtMs = performance.now() + options.limitMs;
  let last: TaskDetail | null = null;
  for await (const detail of feed) {
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
  if (!last) throw new Error("The source told nothing about the task");
  return { detail: last, completeAfterMs };
}

export const shareOf = (device: TaskDevice): number =>
  device.bytesTotal > 0 ? device.bytesVerified / device.bytesTotal : 0;

/** "multicast 84 %, peers 3 %" of the package. */
export function originText(device: Pick<TaskDevice, "bytesTotal" | "from">): string {
  if (device.bytesTotal === 0) return "";
  return (["wan", "multicast", "peers", "cache"] as const)
    .filter((origin) => device.from[origin] > 0)
    .map((origin) => `${origin} ${((100 * device.from[origin]) / device.bytesTotal).toFixed(0)} %`)
    .join(", ");
}
