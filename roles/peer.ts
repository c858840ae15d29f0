#!/usr/bin/env bun
/**
 * The agent: a device that takes part in the distribution of packages on its subnet.
 *
 * It is a peer until it is elected; then it becomes what `roles/representative.ts` exports, and a peer again when it
 * steps down. The election, the session and the repairs are decided in `shared/core`; `shared/agent` carries them out.
 */
import { runAgentProgram } from "../shared/agent/program.ts";
import { createRepresentative } from "./representative.ts";

if (import.meta.main) {
  await runAgentProgram({
    name: "flockcast-peer",
    about: "The flockcast agent: receives packages by multicast, and represents its subnet when elected",
    volunteer: false,
    representative: createRepresentative,
  });
}
