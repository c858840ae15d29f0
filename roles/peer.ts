#!/usr/bin/env bun
/**
 * The agent: a device that takes part in the distribution of packages on its subnet.
 *
 * The device is a peer until it is elected; then it becomes the representative (shared/device/representative.ts), and a
 * peer again when it steps down. shared/core decides, shared/device carries out.
 */
import { runAgentProgram } from "../shared/agent/program.ts";

if (import.meta.main) {
  await runAgentProgram({
    name: "flockcast-peer",
    about: "The flockcast agent: receives packages by multicast, and represents its subnet when elected",
    volunteer: false,
  });
}
