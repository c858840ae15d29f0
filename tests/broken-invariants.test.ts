/** An agent whose invariants are broken. */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { logTail } from "../scripts/rig/process.ts";
import { programsWithPreload } from "../scripts/rig/programs.ts";
import { createCleanups } from "./cleanups.ts";
import { until } from "./harness.ts";

const { open } = createCleanups();

test("an agent whose invariant is broken logs the bug and exits with status 70", async () => {
  const harness = await open({});
  const programs = programsWithPreload(join(import.meta.dir, "broken-invariant.ts"));
  const peer = await harness.startPeer({ programs });
  const file = await harness.makeFile("tool.bin", 100_000);
  await harness.createTask(await harness.publish(file, { name: "tool", version: "1" }));
  const status = await until(
    () => logTail(peer.program, 20),
    20_000,
    () => peer.program.exitStatus(),
  );
  expect(status).toBe(70);
  const log = await logTail(peer.program, 3);
  expect(log).toContain("a bug of this program");
  expect(log).toContain("BugError: an invariant is broken on purpose");
});
