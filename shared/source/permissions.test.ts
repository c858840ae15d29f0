/** Permissions: every route of the real app, for every kind of caller. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { roles } from "../model/role.ts";
import { enrollToken, openFixture, type Fixture } from "./app-fixture.ts";
import { permissions, type AllowedCaller } from "./permissions.ts";

let fixture: Fixture;
const credentials = new Map<string, string | null>();
beforeAll(async () => {
  fixture = await openFixture();
  const device = await fixture.device("h1");
  credentials.set("nobody", null);
  credentials.set("stranger", `fc_p${"x".repeat(43)}.${"0".repeat(64)}`);
  credentials.set("device", device.credential);
  for (const role of roles) credentials.set(role, (await fixture.token(role)).text);
  credentials.set("expired", (await fixture.token("administrator", { expiresInMs: 1_000 })).text);
  const revoked = await fixture.token("administrator");
  await fixture.call("DELETE", `/v1/tokens/${revoked.id}`);
  credentials.set("revoked", revoked.text);
  credentials.set("enrolment", enrollToken);
  credentials.set("scoped", (await fixture.token("operator", { scope: ["berlin"] })).text);
  fixture.clock.nowMs += 2_000;
});
afterAll(() => fixture.close());

/** Routes of the app with their handlers, without middleware of all paths. */
const routesOf = (): string[] => [
  ...new Set(
    fixture.app.routes
      .filter(({ path, method }) => !path.endsWith("*") && method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`),
  ),
];

/** Sends a request without a body, for names that nothing has. @returns the status */
async function statusOf(route: string, credential: string | null): Promise<number> {
  const [method = "", path = ""] = route.split(" ");
  const words = path.replaceAll(/:\w+/g, path.startsWith("/v1/tasks") ? "999" : "f".repeat(16));
  const response = await fixture.raw(method, words, { credential });
  await response.body?.cancel();
  return response.status;
}

test("the table of permissions has every route of the app and no other", () => {
  expect([...permissions.keys()].toSorted()).toEqual(routesOf().toSorted());
});

describe("each route answers", () => {
  /** Callers that are known, each with the entry of the table that admits it. */
  const known: readonly AllowedCaller[] = ["device", ...roles];

  /** Reads the body first, and admits a credential of several agents only: device-life.test.ts. */
  const cloneRoute = "POST /v1/agent/enroll/clone";

  test("401 to nobody, and to unknown, expired, revoked and enrolment tokens, unless anyone may use it", async () => {
    for (const [route, { callers }] of permissions) {
      if (route === cloneRoute) continue;
      for (const who of ["nobody", "stranger", "expired", "revoked", "enrolment"]) {
        const status = await statusOf(route, credentials.get(who)!);
        expect(`${who} ${route}: ${status === 401}`).toBe(`${who} ${route}: ${!callers.includes("anyone")}`);
      }
    }
  });

  test("403 to every known caller that its row does not name, and to no other", async () => {
    for (const [route, { callers }] of permissions) {
      if (callers.includes("anyone") || route === cloneRoute) continue;
      for (const who of known) {
        const status = await statusOf(route, credentials.get(who)!);
        expect(`${who} ${route}: ${status === 403}`).toBe(`${who} ${route}: ${!callers.includes(who)}`);
        expect(`${who} ${route}: ${status === 401}`).toBe(`${who} ${route}: false`);
      }
    }
  });
});

test("a token with a scope is refused on every route that concerns all devices, and on no other", async () => {
  for (const [route, { callers, scope }] of permissions) {
    if (!callers.includes("operator")) continue;
    const status = await statusOf(route, credentials.get("scoped")!);
    expect(`${route}: ${status === 403}`).toBe(`${route}: ${scope === "refuses"}`);
  }
});

test("the OpenAPI document names the callers and the rule of the scope for every route", async () => {
  type Operation = { "x-callers": string[]; "x-scope": string; security: object[] };
  const { body } = await fixture.call<{ paths: Record<string, Record<string, Operation>> }>(
    "GET",
    "/openapi.json",
  );
  const documented = new Map<string, Operation>();
  for (const [path, methods] of Object.entries(body.paths))
    for (const [method, operation] of Object.entries(methods))
      documented.set(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`, operation);
  expect([...documented.keys()].toSorted()).toEqual([...permissions.keys()].toSorted());
  for (const [route, { callers, scope }] of permissions) {
    const operation = documented.get(route)!;
    expect(operation).toMatchObject({ "x-callers": [...callers], "x-scope": scope });
    const schemes = operation.security.flatMap((one) => Object.keys(one)).toSorted();
    const people = callers.some((one) => one !== "device" && one !== "anyone");
    expect(`${route} ${schemes}`).toBe(
      `${route} ${[...(people ? ["admin"] : []), ...(callers.includes("device") ? ["device"] : [])]}`,
    );
  }
});
