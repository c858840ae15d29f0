/** Reads the status of a running agent by its private channel, which every namespace reaches. */
import { askStatus, type AgentStatus } from "../../shared/agent/status/status-server.ts";
import type { WorldDevice } from "./world.ts";

/** Returns the agent's status; null when no agent answers. */
export const askAgent = ({ data }: WorldDevice): Promise<AgentStatus | null> => askStatus(data);
