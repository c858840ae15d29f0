/** Pages of lists: every row once, bounds, cursors, filters, and the scope of the caller. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Device } from "../api/schema/device.ts";
import { openFixture, type Fixture } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

type DevicePage = { readonly devices: Device[]; readonly next: string | null };

/** Reads all pages of devices. @param between runs after the first page */
async function hostnames(
  query: string,
  credential?: string,
  between: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  const found: string[] = [];
  for (let [after, page] = ["", 0]; ; page++) {
    const path = `/v1/devices?${query}${after}`;
    const init = credential === undefined ? {} : { credential };
    const { status, body } = await fixture.call<DevicePage>("GET", path, init);
    expect(status).toBe(200);
    found.push(...body.devices.map(({ hostname }) => hostname));
    if (body.next === null) return found;
    if (page === 0) await between();
    after = `&after=${encodeURIComponent(body.next)}`;
  }
}

async function enrol(...names: string[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const name of names) {
    fixture.clock.nowMs += 1_000;
    ids.set(name, (await fixture.device(name)).id);
  }
  return ids;
}

test("pages have every device once, in each order, also when devices come and go meanwhile", async () => {
  const ids = await enrol("pc-3", "pc-1", "pc-5", "pc-2", "pc-4");
  expect(await hostnames("limit=2")).toEqual(["pc-3", "pc-1", "pc-5", "pc-2", "pc-4"]);
  expect(await hostnames("limit=2&sort=hostname")).toEqual(["pc-1", "pc-2", "pc-3", "pc-4", "pc-5"]);
  expect(await hostnames("limit=2&sort=-hostname")).toEqual(["pc-5", "pc-4", "pc-3", "pc-2", "pc-1"]);
  expect(await hostnames("limit=2&sort=-lastSeenAtMs")).toEqual(["pc-4", "pc-2", "pc-5", "pc-1", "pc-3"]);
  const removed = await hostnames("limit=2&sort=hostname", undefined, async () => {
    await fixture.call("DELETE", `/v1/devices/${ids.get("pc-1")}`);
    await enrol("pc-0", "pc-9");
  });
  expect(removed).toEqual(["pc-1", "pc-2", "pc-3", "pc-4", "pc-5", "pc-9"]);
});

test("filters, search and state narrow a list before it is cut into pages", async () => {
  const ids = await enrol("pc-1", "pc-2", "laptop-1", "laptop-2");
  await fixture.call("POST", "/v1/tags", { json: { devices: "laptop-1,pc-2", add: ["Größe"] } });
  await fixture.call("PATCH", `/v1/devices/${ids.get("pc-1")}`, { json: { name: "Reception" } });
  expect(await hostnames("limit=1&search=LAPTOP")).toEqual(["laptop-1", "laptop-2"]);
  expect(await hostnames("limit=1&search=recep")).toEqual(["pc-1"]);
  expect(await hostnames(`limit=1&filter=${encodeURIComponent("tag=GRÖSSE or tag=größe")}`)).toEqual([
    "pc-2",
    "laptop-1",
  ]);
  expect(await hostnames(`limit=1&filter=${encodeURIComponent("not name=pc-*")}`)).toEqual([
    "laptop-1",
    "laptop-2",
  ]);
  expect(await hostnames(`limit=1&filter=${encodeURIComponent("name=reception and os=linux")}`)).toEqual([
    "pc-1",
  ]);
  expect(await hostnames("state=waiting")).toEqual([]);
  expect(await hostnames("connected=true")).toEqual([]);
});

test("a caller with a scope gets the devices of the scope on every page, whatever the case of its tag", async () => {
  await enrol("pc-1", "pc-2", "pc-3", "pc-4");
  await fixture.call("POST", "/v1/tags", { json: { devices: "pc-1,pc-3,pc-4", add: ["büro"] } });
  const { text } = await fixture.token("viewer", { scope: ["BÜRO"] });
  expect(await hostnames("limit=1", text)).toEqual(["pc-1", "pc-3", "pc-4"]);
  expect(await hostnames("limit=1&filter=not%20name%3Dpc-3", text)).toEqual(["pc-1", "pc-4"]);
});

test("limits and cursors that are not of a list are refused with what to write", async () => {
  for (const path of ["/v1/devices", "/v1/tasks", "/v1/packages", "/v1/tokens", "/v1/users", "/v1/subnets"]) {
    for (const query of ["limit=0", "limit=1001", "limit=x"])
      expect((await fixture.call("GET", `${path}?${query}`)).status).toBe(400);
    const { status, body } = await fixture.call<{ hint: string }>("GET", `${path}?after=nonsense`);
    expect([status, body.hint]).toEqual([400, "leave out after for the first page"]);
  }
});

test("tokens, users and sites have pages too", async () => {
  for (const name of ["one", "two", "three"]) {
    await fixture.token("viewer");
    await fixture.call("PUT", `/v1/sites/${name}`);
    const json = { name, role: "viewer", password: "a long enough password" };
    expect((await fixture.call("POST", "/v1/users", { json })).status).toBe(200);
  }
  for (const [list, count] of [
    ["tokens", 5],
    ["sites", 3],
    ["users", 3],
  ] as const) {
    const names: string[] = [];
    for (let after = ""; ;) {
      const path = `/v1/${list}?limit=2${after}`;
      const { body } = await fixture.call<Record<string, { name: string }[]> & { next: string | null }>(
        "GET",
        path,
      );
      names.push(...body[list]!.map(({ name }) => name));
      if (body.next === null) break;
      after = `&after=${encodeURIComponent(body.next)}`;
    }
    expect([list, names.length, new Set(names).size]).toEqual([list, count, count]);
  }
});
