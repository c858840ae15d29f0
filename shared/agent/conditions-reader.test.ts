import { statfsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { temporaryFolder } from "../model/testing.ts";
import { platform } from "../platform/index.ts";
import { ConditionsReader } from "./conditions-reader.ts";

test("conditions are known before the first election, and read again in the background", async () => {
  const { path, remove } = temporaryFolder("conditions");
  try {
    const reader = await ConditionsReader.open(path);
    const { bavail, blocks, bsize } = statfsSync(path);
    expect(reader.latest.deviceClass).toBe(await platform.deviceClass());
    expect(reader.latest.freeBytes / (bavail * bsize)).toBeCloseTo(1, 1);
    expect(reader.conditions.diskFreePercent).toBeCloseTo((100 * bavail) / blocks, 0);
    expect(reader.conditions.isWireless).toBe(false);

    const first = reader.latest;
    await reader.read();
    expect(reader.latest).toBe(first);
    const third = Promise.withResolvers<void>();
    let readings = 0;
    await reader.start({
      active: () => ({ name: "none", medium: "wireless" }),
      intervalMs: () => 1,
      onRead: () => {
        if (++readings === 3) third.resolve();
      },
    });
    expect(reader.latest).not.toBe(first);
    expect(reader.conditions.isWireless).toBe(true);
    await third.promise;
    reader.close();
    const closed = readings;
    await reader.read();
    await Bun.sleep(50);
    expect(readings).toBe(closed);
  } finally {
    remove();
  }
  expect(ConditionsReader.open(join(path, "missing"))).rejects.toThrow("ENOENT");
});

test("the conditions of this system are within their bounds, whatever it tells", async () => {
  const { cpuPercent, ioPercent, memoryFreePercent, batteryPercent, userIdleMs } =
    await platform.conditions(null);
  for (const share of [cpuPercent, ioPercent, memoryFreePercent, batteryPercent])
    if (share !== null) expect(share).toBeWithin(0, 100.001);
  expect(userIdleMs ?? 0).toBeGreaterThanOrEqual(0);
});
