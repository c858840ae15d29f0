/**
 * `bun run imaging-lab -- [options]`: virtual machines start from the network, get the image of a
 * Debian on their disks by multicast, and start from these disks (docs/TESTING.md). Exit status 0
 * only when every disk equals the image, and the image crossed the WAN once.
 */
import { labPrograms, prepareMachine } from "./lab/machine.ts";
import { bootPrograms } from "./imaging-lab/boot-server.ts";
import { diskPrograms } from "./imaging-lab/debian-disk.ts";
import { imagingCommand } from "./imaging-lab/options.ts";
import { imagingProblems, imagingText } from "./imaging-lab/report.ts";
import { runImaging } from "./imaging-lab/run.ts";
import { machinePrograms } from "./imaging-lab/virtual-machine.ts";
import { debPrograms } from "./package/deb.ts";
import { runWithCleanup, UsageError, type Cleanup } from "./rig/cleanup.ts";
import { installPrograms } from "./rig/debian.ts";

async function run(cleanup: Cleanup): Promise<number> {
  const options = imagingCommand.parse().opts();
  if (process.arch !== "x64") throw new UsageError(`The machines are x64, this one is ${process.arch}`);
  await prepareMachine({}, undefined);
  const missing = await installPrograms({
    ...labPrograms,
    ...bootPrograms,
    nft: "nftables",
    ...machinePrograms,
    ...diskPrograms,
    ...debPrograms,
  });
  if (missing !== null) throw new UsageError(missing);
  const report = await runImaging(options, cleanup);
  const problems = imagingProblems(report);
  if (options.json) console.log(JSON.stringify({ ...report, options, problems }, null, 2));
  else console.log(imagingText(report));
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}

await runWithCleanup(run);
