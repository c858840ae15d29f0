import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentSetting } from "../api/schema/agent.ts";
import { openCache } from "../cache/disk/open-cache.ts";
import { cacheOptions } from "../cache/testing.ts";
import { createLogger } from "../log.ts";
import { defaultSettingValues } from "../model/setting.ts";
import { OwnSetting, storedSetting } from "./own-setting.ts";

const log = createLogger("test", "silent");
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-setting-"));
  folders.push(folder);
  return folder;
}
const kiosk: AgentSetting = {
  name: "kiosk",
  version: 3,
  parents: [{ name: "default", version: 7 }],
  values: { ...defaultSettingValues, checkInIntervalMs: 5_000 },
};

test("the device's own setting counts after a restart, before the source answers", async () => {
  const folder = newFolder();
  const before = await openCache(cacheOptions(folder));
  const own = new OwnSetting(before, log);
  expect([own.version, own.values]).toEqual([null, defaultSettingValues]);
  own.replace(kiosk);
  expect(own.values.checkInIntervalMs).toBe(5_000);
  await before.close();
  const after = await openCache(cacheOptions(folder));
  const restarted = new OwnSetting(after, log);
  expect(restarted.values).toEqual(kiosk.values);
  expect(restarted.version).toEqual({
    name: "kiosk",
    version: 3,
    parents: [{ name: "default", version: 7 }],
  });
  await after.close();
});

test("a stored setting that cannot be read counts as none", async () => {
  const cache = await openCache(cacheOptions(newFolder()));
  cache.ledger.saveOwnSetting({ name: "kiosk", values: 7 });
  expect(storedSetting(cache.ledger)).toBeNull();
  expect(new OwnSetting(cache, log).values).toEqual(defaultSettingValues);
  await cache.close();
});
