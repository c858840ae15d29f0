#!/usr/bin/env bun
/**
 * An agent that always volunteers as representative: a server left on at a branch office.
 *
 * Every device can represent its subnet: roles/peer.ts becomes a representative when it is elected. This program stands
 * in every election, so that the device with the best line or the most disk leads. What a representative does (download
 * once, multicast) is shared/device/representative.ts; when it does it is decided in shared/core/representative.ts.
 */
import { runAgentProgram } from "../shared/agent/program.ts";

if (import.meta.main) {
  await runAgentProgram({
    name: "flockcast-representative",
    about: "An agent that always volunteers as representative of its subnet",
    volunteer: true,
  });
}
