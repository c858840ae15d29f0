/**
 * Installs the mutation that the environment variable FLOCKCAST_MUTATION names. `bun run simulate
 * --mutate NAME` loads this file with `--preload`.
 */
import { installPatches } from "../rig/source-patches.ts";
import { mutations, type Mutation } from "./mutations.ts";

installPatches(mutations[process.env["FLOCKCAST_MUTATION"] as Mutation], "scripts/simulate/mutations.ts");
