/** Two agents with one `ledger.db`, as when an image was made of a device that had enrolled. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { openHarness, until } from "./harness.ts";

test("the source shows a device whose ledger was copied to a second one", async () => {
  await using harness = await openHarness();
  const first = await harness.startPeer({ name: "first" });
  const isDuplicate = async () => (await harness.client.devices())[0]!.duplicate;
  await first.stop();
  first.restart();
  await until(
    () => "the device does not connect again",
    15_000,
    async () => ((await harness.client.devices())[0]!.connected ? true : null),
  );
  expect(await isDuplicate()).toBe(false);
  await first.stop();
  const copy = join(harness.folder, "copy");
  await cp(first.data, copy, { recursive: true });
  first.restart();
  await harness.startPeer({ name: "copy", data: copy });
  // Both agents check in every time.
  await until(
    () => "the source does not notice",
    20_000,
    async () => {
      await harness.setSetting("default", "sessionStartDelay=500ms");
      return (await isDuplicate()) || null;
    },
  );
  expect(await readFile(harness.source.program.logFile, "utf8")).toContain("its ledger.db was copied");
  expect((await harness.tryAdmin("device", "list")).stdout).toContain("DUPLICATE");
}, 60_000);
