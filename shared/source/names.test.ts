/** Names that devices and administrators state: the API refuses characters that nobody sees. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { enrollToken, inventoryOf, openFixture, type Fixture, type TestDevice } from "./app-fixture.ts";
import { statedName } from "../agent/inventory.ts";

let source: Fixture;
let device: TestDevice;
beforeAll(async () => {
  source = await openFixture();
  device = await source.device("desk");
});
afterAll(() => source.close());

const hidden = [
  ["a terminal's escape", "a\u001b]52;c;x\u0007b", "U+001B"],
  ["a control C1", "a\u009b31mb", "U+009B"],
  ["a line break", "a\nb", "U+000A"],
  ["a separator of lines", "a\u2028b", "U+2028"],
  ["another direction of text", "a\u202eb", "U+202E"],
  ["a space without width", "a\u200bb", "U+200B"],
  ["a letter without a form", "a\u3164b", "U+3164"],
] as const;

const enrol = (more: object) =>
  source.call("POST", "/v1/agent/enroll", {
    credential: null,
    json: { token: enrollToken, hostname: "x", os: "linux", arch: "x64", agentVersion: "1", ...more },
  });

describe.each(hidden)("a name with %s", (_, name, code) => {
  const refusal = { status: 400, body: { error: expect.stringContaining(`hidden character ${code}`) } };

  test.each(["hostname", "os", "arch", "agentVersion"])("is refused as %s of an enrolment", async (field) => {
    expect(await enrol({ [field]: name })).toMatchObject(refusal);
  });

  test("is refused in the inventory of a check-in", async () => {
    const good = inventoryOf("desk");
    const [first] = good.interfaces;
    const bad = [
      { ...good, hostname: name },
      { ...good, groups: ["ok", name] },
      { ...good, interfaces: [{ ...first!, name }] },
      { ...good, interfaces: [{ ...first!, mac: name }] },
      { ...good, interfaces: [{ ...first!, group: name }] },
    ];
    for (const inventory of bad) expect(await source.checkIn(device, inventory)).toMatchObject(refusal);
    expect((await source.checkIn(device, good)).status).toBe(200);
  });

  test("is refused for what an administrator names", async () => {
    const path = `/v1/devices/${device.id}`;
    expect(await source.call("PATCH", path, { json: { name } })).toMatchObject(refusal);
    const tagging = { devices: "all", add: [name] };
    for (const [method, to, json] of [
      ["POST", "/v1/tags", tagging],
      ["PUT", `/v1/groups/${encodeURIComponent(name)}`, undefined],
      ["PUT", `/v1/sites/${encodeURIComponent(name)}`, undefined],
      ["PATCH", `/v1/subnets/${device.subnetId}`, { name }],
      ["POST", "/v1/settings", { name }],
      [
        "POST",
        "/v1/tasks",
        { package: name, action: "pre-cache", setting: null, target: "all", startAtMs: null },
      ],
    ] as const)
      expect([to, (await source.call(method, to, { json })).status]).toEqual([to, 400]);
  });
});

test("a device states a system's name in a form that the source accepts", async () => {
  for (const [, name] of hidden) {
    const hostname = statedName(name, 255);
    expect([hostname, (await source.checkIn(device, inventoryOf(hostname))).status]).toEqual([hostname, 200]);
  }
  expect(statedName(`${"a".repeat(254)}😀`, 255)).toHaveLength(255);
  expect((await source.checkIn(device, inventoryOf(statedName(`${"a".repeat(254)}😀`, 255)))).status).toBe(
    200,
  );
  expect(statedName("", 255)).toBe("unknown");
});
