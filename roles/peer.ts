#!/usr/bin/env bun
/**
 * The agent: the program that a device runs to take part in package distribution on its subnet.
 *
 * A device is a peer until the election makes it the representative. It then runs what
 * `roles/representative.ts` exports, and becomes a peer again when it resigns. `shared/core`
 * decides on elections, sessions and repairs. `shared/agent` carries the decisions out.
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
