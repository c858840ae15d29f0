/** Loaded with `--preload` by `bun run simulate --mutate NAME`: breaks the line that FLOCKCAST_MUTATION names. */
import { installPatches } from "../rig/source-patches.ts";
import { mutations, type Mutation } from "./mutations.ts";

installPatches(mutations[process.env["FLOCKCAST_MUTATION"] as Mutation], "scripts/simulate/mutations.ts");
