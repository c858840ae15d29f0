import { statfsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { temporaryFolder } from "../model/testing.ts";
import { platform } from "../platform/index.ts";
import { Conditions } from "./conditions.ts";

test("conditions are known before the first election, and read without a query", async () => {
  const { path, remove } = temporaryFolder("conditions");
  try {
    const conditions = await Conditions.measure(path);
    const { deviceClass, freeBytes } = conditions.latest;
    const { bavail, bsize } = statfsSync(path);
    expect(deviceClass).toBe(await platform.deviceClass());
    expect(freeBytes / (bavail * bsize)).toBeCloseTo(1, 1);
    expect(conditions.latest).toBe(conditions.latest);
  } finally {
    remove();
  }
  expect(Conditions.measure(join(path, "missing"))).rejects.toThrow("ENOENT");
});
