/**
 * Small run of the chaos lab. Needs Linux, root and the lab's tools, or is skipped
 * (network-test.ts).
 */
import { join } from "node:path";
import { expect } from "bun:test";
import * as v from "valibot";
import { runToEnd } from "../scripts/rig/process.ts";
import { networkTest } from "./network-test.ts";

const chaosScript = join(import.meta.dir, "..", "scripts", "chaos.ts");
const labTest = networkTest("ip", "tc", "curl", "nginx");

const runSchema = v.object({ story: v.array(v.string()), verified: v.number(), expected: v.number() });
const reportSchema = v.object({ runs: v.array(runSchema) });

labTest(
  "gives every device a right copy after a killed device, a web site with status 503 and an intruder",
  async () => {
    const words = ["--subnets", "1", "--devices", "3", "--wan", "20", "--size", "5", "--seed", "3", "--json"];
    const faults = ["--fault", "kill", "web-503", "intruder"];
    const run = await runToEnd([process.execPath, chaosScript, ...words, ...faults]);
    // The bound on the wait of healthy devices is not checked: the machine runs other tests too.
    const { runs } = v.parse(reportSchema, JSON.parse(run.stdout));
    expect(runs, run.stderr).toHaveLength(1);
    const [{ story, verified, expected }] = runs as [v.InferOutput<typeof runSchema>];
    expect(story.map((line) => /kill -9|503|intruder/.exec(line)?.[0]).toSorted()).toEqual([
      "503",
      "intruder",
      "kill -9",
    ]);
    expect([verified, expected], run.stderr).toEqual([3, 3]);
  },
  120_000,
);
