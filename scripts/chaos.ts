/**
 * `bun run chaos -- [options]`: the real programs in network namespaces while faults happen
 * (docs/TESTING.md). Exit status 0 only when every device holds a right copy and every stated bound
 * was kept.
 */
import { resolve } from "node:path";
import { runChaos } from "./chaos/chaos.ts";
import { chaosCommand, chaosOptions } from "./chaos/options.ts";
import { chaosProblems, chaosText } from "./chaos/report.ts";
import { labPrograms, prepareMachine } from "./lab/machine.ts";
import { runWithCleanup, type Cleanup } from "./rig/cleanup.ts";

async function run(cleanup: Cleanup): Promise<number> {
  const options = chaosOptions(chaosCommand.parse().opts());
  if (options.package !== undefined) options.package = resolve(options.package);
  const disks = options.kinds.includes("disk-full") && { "mkfs.ext4": "e2fsprogs" };
  await prepareMachine({ ...labPrograms, ...disks }, options.package);
  const report = await runChaos(options, cleanup);
  const problems = chaosProblems(report);
  if (options.json) console.log(JSON.stringify({ ...report, options, problems }, null, 2));
  else console.log(chaosText(report));
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}

await runWithCleanup(run);
