#!/usr/bin/env -S bun --use-system-ca --no-env-file --config=/dev/null
/**
 * Program of an agent that always volunteers as representative, for a server that is always on.
 *
 * It differs from roles/peer.ts only in its rank, which is best in every election. Any device can
 * represent its subnet. shared/core/representative.ts decides what a representative does, and
 * shared/device/representative.ts carries it out.
 */
import { runAgentProgram, type AgentProgram } from "../shared/agent/program.ts";

export const representativeProgram: AgentProgram = {
  name: "flockcast-representative",
  about: "An agent that always volunteers as representative of its subnet",
  volunteer: true,
};

if (import.meta.main) await runAgentProgram(representativeProgram);
