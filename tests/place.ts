/** An agent in a network namespace, for tests that wait for its status. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { inside } from "../scripts/lab/namespace.ts";
import type { Device } from "../scripts/rig/deployment.ts";
import { logTail, outputOf } from "../scripts/rig/process.ts";
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
