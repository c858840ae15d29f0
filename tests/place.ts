/** An agent in a network namespace: its status, and a package for it. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Device, Source } from "../scripts/rig/deployment.ts";
import { logTail } from "../scripts/rig/process.ts";
import { differenceFrom, digestTree } from "../scripts/rig/verify.ts";
import { askStatus, type AgentStatus } from "../shared/agent/status/status-server.ts";
import { until } from "./harness.ts";

export type Place = { readonly namespace: string; readonly device: Device };

/** @throws Error when no agent answers */
export async function statusOf({ device }: Place): Promise<AgentStatus> {
  const status = await askStatus(device.data);
  if (status === null) throw new Error(`${device.name} does not answer`);
  return status;
}

const shown = async (place: Place): Promise<string> =>
  `${place.device.name} does not have the state that the test waits for:\n${await logTail(place.device.program, 25)}`;

/** Waits for a status of the agent that fulfils `is`. */
export const untilStatus = (
  place: Place,
  timeoutMs: number,
  is: (status: AgentStatus) => boolean,
): Promise<AgentStatus> =>
  until(
    () => shown(place),
    timeoutMs,
    async () => {
      const status = await statusOf(place).catch(() => null);
      return status && is(status) ? status : null;
    },
  );

/** Publishes a file of random bytes, and creates a pre-cache task for all devices. */
export async function distribute(source: Source, folder: string, called: string, sizeBytes: number) {
  const path = join(folder, called);
  await writeFile(path, randomBytes(sizeBytes));
  const id = await source.admin("publish", path, "--name", called, "--version", "1");
  const taskId = Number(await source.admin("task", "create", id, "--action", "pre-cache"));
  const untilTask = (place: Place, timeoutMs: number, is: (task: AgentStatus["tasks"][number]) => boolean) =>
    untilStatus(place, timeoutMs, ({ tasks }) => tasks.some((task) => task.taskId === taskId && is(task)));
  return {
    taskId,
    /** Waits until the device has verified more than a tenth of the file. */
    untilUnderWay: (place: Place) =>
      untilTask(place, 10_000, ({ bytesVerified }) => bytesVerified > 0.1 * sizeBytes),
    untilComplete: async (places: readonly Place[], timeoutMs = 30_000): Promise<void> => {
      for (const place of places) await untilTask(place, timeoutMs, ({ state }) => state === "complete");
    },
    copyError: async (place: Place) =>
      differenceFrom(await digestTree(path), join(place.device.data, "cache", called, "1")),
  };
}
