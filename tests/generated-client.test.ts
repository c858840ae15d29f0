/**
 * A client that openapi-typescript generates from the OpenAPI document of a running source. The
 * compiler checks the program below against the generated types, and the program then talks to the
 * source.
 */
import { afterEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import openapiTypescript, { astToString } from "openapi-typescript";
import { runToEnd } from "../scripts/rig/process.ts";
import { createLogger } from "../shared/log.ts";
import { startSource, type RunningSource } from "../shared/source/server.ts";

const root = join(import.meta.dir, "..");
let folder: string;
let source: RunningSource;
afterEach(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

/** Fails to compile if a path, a parameter, an answer or an error differs from the document. */
const program = `
import createClient from "openapi-fetch";
import type { paths } from "./api.d.ts";

const client = createClient<paths>({
  baseUrl: process.env["SOURCE"]!,
  headers: { authorization: "Bearer " + process.env["TOKEN"]! },
});
const group = await client.PUT("/v1/groups/{name}", { params: { path: { name: "floor" } } });
const groups = await client.GET("/v1/groups");
const names: string[] = groups.data!.groups.map(({ name }) => name);
const setting = await client.POST("/v1/settings", {
  body: { name: "slow", parent: "default", differences: { lanRateBps: 10_000_000 } },
});
const version: number = setting.data!.version;
// The id of the wrong type is what the test of the 400 sends.
const wrong = await client.GET("/v1/tasks/{id}", { params: { path: { id: "zzz" as never } } });
const error: string = wrong.error!.error;
const hint: string | undefined = wrong.error!.hint;
const missing = await client.GET("/v1/tasks/{id}", { params: { path: { id: 999 as never } } });
console.log(JSON.stringify({
  ok: group.data!.ok, names, version, error, hint,
  statuses: [wrong.response.status, missing.response.status], missing: missing.error!.error,
}));
`;

const compilerOptions = {
  target: "ESNext",
  module: "Preserve",
  moduleResolution: "bundler",
  lib: ["ESNext", "DOM"],
  types: ["bun"],
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  noEmit: true,
};

test("compiles, and reads answers and errors of a running source", async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-client-"));
  const dataDir = join(folder, "data");
  const listen = { host: "127.0.0.1", port: 0 };
  source = await startSource({ dataDir, listen, tls: { kind: "none" }, log: createLogger("test", "silent") });
  const token = (await readFile(join(dataDir, "admin.token"), "utf8")).trim();
  const answer = await fetch(`${source.url}/openapi.json`, { headers: { authorization: `Bearer ${token}` } });
  await writeFile(join(folder, "api.d.ts"), astToString(await openapiTypescript(await answer.text())));
  await writeFile(join(folder, "client.ts"), program);
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["client.ts"] }));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");

  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const compiled = await runToEnd([process.execPath, compiler, "-p", folder], {});
  expect([compiled.stdout, compiled.status]).toEqual(["", 0]);

  const env = { SOURCE: source.url, TOKEN: token };
  const ran = await runToEnd([process.execPath, join(folder, "client.ts")], { env });
  expect([ran.stderr, ran.status]).toEqual(["", 0]);
  expect(JSON.parse(ran.stdout)).toEqual({
    ok: true,
    names: ["floor"],
    version: 1,
    error: expect.stringContaining('Bad path at "id"'),
    hint: "the API is described at /openapi.json",
    statuses: [400, 404],
    missing: expect.stringContaining("999"),
  });
}, 120_000);
