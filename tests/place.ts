/** An agent in a network namespace: its status, and a package for it. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { inside } from "../scripts/lab/namespace.ts";
import type { Device, Source } from "../scripts/rig/deployment.ts";
import { logTail, outputOf } from "../scripts/rig/process.ts";
import { differenceFrom, digestTree } from "../scripts/rig/verify.ts";
import { agentStatusSchema, type AgentStatus } from "../shared/agent/status/status-server.ts";
import { until } from "./harness.ts";

export type Place = { readonly namespace: string; readonly device: Device };

const portSchema = v.object({ port: v.number() });

/** Reads an agent's status with curl, which starts faster than the agent's `status` command. */
export async function statusOf({ namespace, device }: Place): Promise<AgentStatus> {
  const { port } = v.parse(portSchema, JSON.parse(await readFile(join(device.data, "agent.json"), "utf8")));
  const url = `http://127.0.0.1:${port}/status`;
  return v.parse(
    agentStatusSchema,
    JSON.parse(await outputOf([...inside(namespace), "curl", "-s", "--fail", url])),
  );
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
