/**
 * The OpenAPI document: free of complaints by a linter, and equal to what the source sends, for
 * every operation with every kind of caller and with wrong input.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { openFixture, type Fixture } from "./app-fixture.ts";

type Content = Readonly<Record<string, { readonly schema?: object }>>;
type Response = { readonly content?: Content };
type Operation = {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, Response>>;
};
type OpenApi = { readonly paths: Record<string, Record<string, Operation>>; readonly components: object };

let fixture: Fixture;
let document: OpenApi;
let operations: { readonly method: string; readonly path: string; readonly operation: Operation }[];
const ajv = new Ajv2020({ strict: false, allErrors: true });
const validators = new Map<object, ValidateFunction>();

beforeAll(async () => {
  fixture = await openFixture();
  document = (await fixture.call<OpenApi>("GET", "/openapi.json")).body;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});
afterAll(() => fixture.close());

/** Returns why a body does not match its schema; null if it does. */
function mismatch(schema: object, body: unknown): string | null {
  const { components } = document;
  const validate = validators.get(schema) ?? ajv.compile({ ...schema, components });
  validators.set(schema, validate);
  return validate(body) ? null : ajv.errorsText(validate.errors);
}

/** Returns why an answer is another one than the document has; null if it is not. */
async function deviation(
  { responses }: Operation,
  answer: globalThis.Response,
  skipsDefault = false,
): Promise<string | null> {
  const { status } = answer;
  const described =
    responses[status] ??
    (skipsDefault ? undefined : (responses[`${String(status)[0]}XX`] ?? responses["default"]));
  const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
  if (described === undefined) return `the status ${status} is not described`;
  if (status >= 500) return `status ${status}`;
  const content = described.content?.[type] ?? (status === 303 ? {} : undefined);
  if (content === undefined) return `the type ${type} of ${status} is not described`;
  if (type !== "application/json" || content.schema === undefined) {
    await answer.body?.cancel();
    return null;
  }
  return mismatch(content.schema, await answer.json());
}

test("the linter has no complaint, but for routes that refuse nobody", async () => {
  const config = await createConfig({ extends: ["recommended"] });
  const problems = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: "openapi.json",
    config,
  });
  const lines = problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer}`);
  expect(lines.toSorted()).toEqual([
    "operation-4xx-response #/paths/~1healthz/get/responses",
    "operation-4xx-response #/paths/~1v1~1set-up/get/responses",
    "operation-4xx-response #/paths/~1v1~1sign-in/get/responses",
  ]);
});

const wrong = { string: "x".repeat(3_000), empty: {}, list: [1], nothing: null } as const;

/** Path with names that nothing has, and with none that the schema allows. */
const paths = (path: string): string[] => [
  path.replaceAll(/\{\w+\}/g, path.startsWith("/v1/tasks") ? "999" : "f".repeat(16)),
  path.replaceAll(/\{\w+\}/g, "%20%00"),
];

describe("every operation", () => {
  test("answers as its document says, to people, devices and nobody, also to wrong bodies", async () => {
    const device = await fixture.device("h1");
    const viewer = await fixture.token("viewer");
    const deviations: string[] = [];
    for (const { method, path, operation } of operations) {
      // The only one that ends the device, and the one that streams without end.
      if (path === "/v1/agent/events" || path === "/v1/backup") continue;
      for (const credential of [undefined, device.credential, viewer.text, null]) {
        const bodies = operation.requestBody === undefined ? [undefined] : Object.values(wrong);
        for (const place of paths(path))
          for (const json of bodies) {
            const init = {
              ...(credential === undefined ? {} : { credential }),
              ...(json === undefined ? {} : { json }),
            };
            const why = await deviation(operation, await fixture.raw(method, place, init));
            if (why !== null) deviations.push(`${method} ${place.slice(0, 60)}: ${why}`);
          }
      }
    }
    expect(deviations).toEqual([]);
  });

  test("names the 400 of a wrong input and the 401 and 403 of a caller, as they are sent", async () => {
    const device = await fixture.device("h2");
    let checked = 0;
    for (const { method, path, operation } of operations) {
      if (path.startsWith("/v1/agent") || operation.responses["401"] === undefined) continue;
      const [place = ""] = paths(path);
      // A device may read content; the id is not one.
      const isContent = path === "/v1/packages/{id}/content";
      for (const [credential, status] of [
        [null, 401],
        [device.credential, isContent && method === "GET" ? 400 : 403],
      ] as const) {
        const answer = await fixture.raw(method, place, { credential });
        expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} ${status}`);
        expect(await deviation(operation, answer, true)).toBeNull();
      }
      if (operation.requestBody === undefined) continue;
      const answer = await fixture.raw(method, place, { json: wrong.list });
      if (answer.status !== 400) continue;
      checked++;
      expect(await deviation(operation, answer, true)).toBeNull();
    }
    expect(checked).toBeGreaterThan(15);
  });
});

test("the lists of a source with content match the document", async () => {
  await fixture.device("h3", "10.0.0.7", ["wished"]);
  await fixture.call("POST", "/v1/tags", { json: { devices: "all", add: ["floor"] } });
  await fixture.call("PUT", "/v1/sites/Hamburg");
  await fixture.call("POST", "/v1/settings", { json: { name: "slow", parent: "default", differences: {} } });
  let lists = 0;
  for (const { method, path, operation } of operations) {
    if (method !== "GET" || path.includes("{") || path === "/v1/agent/events") continue;
    const answer = await fixture.raw(method, path);
    if (answer.status !== 200) continue;
    lists++;
    expect(`${path} ${await deviation(operation, answer, true)}`).toBe(`${path} null`);
  }
  expect(lists).toBeGreaterThan(12);
});

test("a wrong method gets 405 with the right ones, and a long path is not repeated in full", async () => {
  const { status, body, headers } = await fixture.call<{ error: string }>("PUT", "/v1/tasks/7");
  expect([status, headers.get("allow")]).toEqual([405, "DELETE, GET, PATCH"]);
  expect(body.error).toBe("No PUT /v1/tasks/7");
  const long = await fixture.call<{ error: string }>("GET", `/v1/${"x".repeat(9_000)}`);
  expect([long.status, long.body.error.length < 400]).toEqual([404, true]);
});

test("a missing credential gets WWW-Authenticate", async () => {
  const { status, headers } = await fixture.call("GET", "/v1/tasks", { credential: null });
  expect([status, headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
});
