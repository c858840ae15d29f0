import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Device } from "../api/schema/admin.ts";
import { inventoryOf, openFixture, type Fixture } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const isDuplicate = async (): Promise<boolean> =>
  (await fixture.call<{ devices: Device[] }>("GET", "/v1/devices")).body.devices[0]!.duplicate;

test("a credential that two agents use is shown, a device that restarts is not", async () => {
  const { credential } = await fixture.device("h");
  const checkIn = async (instance: string): Promise<void> => {
    const json = { inventory: inventoryOf("h"), instance: instance.repeat(16) };
    expect((await fixture.call("POST", "/v1/agent/check-in", { credential, json })).status).toBe(200);
  };
  // Two restarts.
  for (const instance of ["a", "a", "b", "b", "c"]) await checkIn(instance);
  expect(await isDuplicate()).toBe(false);
  await checkIn("b");
  expect(await isDuplicate()).toBe(true);
  fixture.clock.nowMs += 8 * 86_400_000;
  await checkIn("b");
  expect(await isDuplicate()).toBe(false);
});
