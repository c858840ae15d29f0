#!/usr/bin/env -S bun --use-system-ca --no-env-file --config=/dev/null
/**
 * Program of the agent: a device that receives packages on its subnet. It represents the subnet
 * when it is elected (shared/device/representative.ts), and becomes a peer again when it steps
 * down. shared/core makes the decisions, and shared/device carries them out.
 */
import { runAgentProgram, type AgentProgram } from "../shared/agent/program.ts";

export const peerProgram: AgentProgram = {
  name: "flockcast-peer",
  about: "The flockcast agent: receives packages by multicast, and represents its subnet when elected",
  volunteer: false,
};

if (import.meta.main) await runAgentProgram(peerProgram);
