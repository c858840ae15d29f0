/**
 * `bun run generate [kernels|vectors|stories|reasons|permissions|man|units]…`: writes generated
 * files that are committed: the WebAssembly kernels, the golden vectors of docs/PROTOCOL.md, the
 * stories of docs/stories, docs/REASONS.md, docs/PERMISSIONS.md, docs/man, and the units of
 * docs/OPERATIONS.md. Default: all of them.
 */
import { Argument, Command } from "@commander-js/extra-typings";
import { generateKernels } from "./generate/kernels.ts";
import { generateMan } from "./generate/man.ts";
import { generatePermissions } from "./generate/permissions.ts";
import { generateReasons } from "./generate/reasons.ts";
import { generateStories } from "./generate/stories.ts";
import { generateUnits } from "./generate/units.ts";
import { generateVectors } from "./generate/vectors.ts";

const generators = {
  kernels: generateKernels,
  vectors: generateVectors,
  stories: generateStories,
  reasons: generateReasons,
  permissions: generatePermissions,
  man: generateMan,
  units: generateUnits,
} as const;
const names = Object.keys(generators) as (keyof typeof generators)[];

const [wanted] = new Command("bun run generate")
  .description("Writes generated files again; `npm test` compares them with their sources")
  .addArgument(new Argument("[what...]", "only these").choices(names))
  .parse().processedArgs;
for (const name of wanted.length > 0 ? wanted : names) await generators[name]();
// JSON.stringify wrote the vectors; the committed files have the project's format.
Bun.spawnSync([process.execPath, "fmt", "--no-script"], { cwd: `${import.meta.dir}/..` });
