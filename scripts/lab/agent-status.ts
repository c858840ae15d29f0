/** Reads the status of a running agent from its loopback server, inside the device's namespace. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { agentStatusSchema, type AgentStatus } from "../../shared/agent/status/status-server.ts";
import { inside } from "./namespace.ts";
import type { WorldDevice } from "./world.ts";
import { runToEnd } from "../rig/process.ts";

/** Returns the agent's status; null when no agent answers. */
export async function askAgent({ data, place }: WorldDevice): Promise<AgentStatus | null> {
  const file = await readFile(join(data, "agent.json"), "utf8").catch(() => null);
  if (file === null) return null;
  const { port } = v.parse(v.object({ port: v.number() }), JSON.parse(file));
  const url = `http://127.0.0.1:${port}/status`;
  const answer = await runToEnd([...inside(place.namespace), "curl", "-s", "--max-time", "3", url]);
  return answer.status === 0 ? v.parse(agentStatusSchema, JSON.parse(answer.stdout)) : null;
}
