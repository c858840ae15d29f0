/** Publishing without a key: the source signs, and takes the bytes in parts. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PublishResponse } from "../api/schema/admin.ts";
import type { ManifestToSign, SignRequest, UploadState } from "../api/schema/publishing.ts";
import { chunkOffset, type Manifest } from "../model/manifest.ts";
import { encodeManifest, packageId } from "../model/manifest-codec.ts";
import { readManifest } from "../model/manifest-reader.ts";
import { openFixture, type Fixture } from "./app-fixture.ts";
import { dataFiles } from "./data-files.ts";
import { differenceOf } from "./console/pages/signing/manifest-difference.ts";
import { signManifestWith } from "./console/pages/signing/statements.ts";
import { digestPath } from "./publishing/digest-files.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const content = new Uint8Array([...randomBytes(700_000), ...new Uint8Array(600_000)]);
const commands = '[install]\nlinux = "sh ./a.bin"\n';

/** Digests a folder as the command line does. */
async function digested(): Promise<{ id: string; manifest: Manifest; request: SignRequest }> {
  const folder = join(fixture.folder, "tool");
  await mkdir(join(folder, "empty"), { recursive: true });
  await writeFile(join(folder, "a.bin"), content);
  const { manifest, bytes } = await digestPath(folder, {
    name: "tool",
    version: "1",
    commands: [{ name: "install", lines: [{ os: "linux", shell: "sh", line: "sh ./a.bin" }] }],
  });
  const request: SignRequest = {
    name: "tool",
    version: "1",
    files: manifest.files.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
    folders: [...manifest.folders],
    commands,
    chunkSizeBytes: manifest.chunkSizeBytes,
    chunkDigests: Buffer.from(manifest.chunkDigests).toString("base64"),
    zeros: manifest.encodings.map(({ first, count }) => ({ first, count })),
  };
  return { id: packageId(bytes), manifest, request };
}

const sign = (json: unknown) => fixture.call<PublishResponse>("POST", "/v1/packages/sign", { json });
const stateOf = async (id: string) =>
  (await fixture.call<UploadState>("GET", `/v1/packages/${id}/upload`)).body;
const part = (id: string, offset: number, body: Uint8Array) =>
  fixture.call<UploadState & { error?: string }>("PATCH", `/v1/packages/${id}/content?offset=${offset}`, {
    body,
  });

const lastAction = async (): Promise<string | undefined> =>
  (await fixture.catalog.audit.after(0, 1_000)).at(-1)?.action;

test("the source signs the manifest that the command line would make, and audits it", async () => {
  const { id, manifest, request } = await digested();
  expect(manifest.encodings.length).toBe(1);
  expect((await sign(request)).body).toEqual({ packageId: id, contentNeeded: true });
  expect(await lastAction()).toBe("POST /v1/packages/sign");
});

test("a manifest that the key of a browser signs is published where the source has no keys", async () => {
  const { id, request } = await digested();
  const answer = await fixture.call<ManifestToSign>("POST", "/v1/packages/manifest", { json: request });
  const manifest = new Uint8Array(Buffer.from(answer.body.manifest, "base64"));
  expect(packageId(manifest)).toBe(id);
  expect(differenceOf(readManifest(manifest), request)).toBeNull();
  expect((await fixture.catalog.packages.list()).length).toBe(0);
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey, publicKey } = pair as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  const key = { key: Buffer.from(raw).toString("hex"), privateKey };
  const signature = Buffer.from(await signManifestWith(manifest, key)).toString("base64");
  const given = { ...request, signature: { publisherKey: key.key, signature } };
  expect((await sign(given)).body).toEqual({ packageId: id, contentNeeded: true });
  const forged = { ...given, version: "2" };
  expect((await sign(forged)).status).toBe(400);
});

test.each<[field: string, change: Partial<SignRequest>]>([
  ["name", { name: "other" }],
  ["version", { version: "2" }],
  ["files", { files: [{ path: "a.bin", sizeBytes: 1 }] }],
  ["folders", { folders: [] }],
  ["chunkSizeBytes", { chunkSizeBytes: 65_536 }],
  ["chunkDigests", { chunkDigests: "" }],
  ["encodings", { zeros: [] }],
  ["commands", { commands: '[install]\nlinux = "true"\n' }],
])("a browser finds a manifest with other %s than it asked for", async (field, change) => {
  const { manifest, request } = await digested();
  expect(differenceOf(readManifest(encodeManifest(manifest)), { ...request, ...change })).toBe(field);
});

test("an upload in parts continues at the last whole chunk, also after a damaged part", async () => {
  const { id, manifest, request } = await digested();
  await sign(request);
  const second = chunkOffset(manifest, 1);
  const third = chunkOffset(manifest, 2);
  // The bytes after the first whole chunk do not count.
  expect((await part(id, 0, content.slice(0, second + 10))).body).toMatchObject({ receivedBytes: second });
  expect((await part(id, 0, content)).status).toBe(409);
  const damaged = content.slice(second);
  damaged[third - second + 5]! ^= 1;
  expect(await part(id, second, damaged)).toMatchObject({ status: 422 });
  expect(await stateOf(id)).toEqual({
    sizeBytes: content.length,
    receivedBytes: third,
    isComplete: false,
  });
  expect((await part(id, third, content.slice(third))).body).toMatchObject({ isComplete: true });
  expect(await lastAction()).toBe("PATCH /v1/packages/:id/content");
  const read = await fixture.raw("GET", `/v1/packages/${id}/content`);
  expect(Buffer.from(await read.arrayBuffer()).equals(content)).toBe(true);
  expect((await sign(request)).body).toEqual({ packageId: id, contentNeeded: false });
});

test("an upload is ended by an empty part when the source stopped before it noted the end", async () => {
  const { id, manifest, request } = await digested();
  await sign(request);
  await fixture.content.receive(id, manifest, new Blob([content]).stream());
  expect(await stateOf(id)).toMatchObject({ receivedBytes: content.length, isComplete: false });
  expect((await part(id, content.length, new Uint8Array())).body).toMatchObject({ isComplete: true });
  expect((await fixture.catalog.packages.byId(id))?.state).toBe("ready");
});

test("a manifest that breaks a rule, and commands that cannot be read, are refused in words", async () => {
  const { request } = await digested();
  const wrongPath = { ...request, files: [{ path: "../a", sizeBytes: content.length }] };
  expect(await sign(wrongPath)).toMatchObject({ status: 400 });
  expect(await sign({ ...request, chunkDigests: "" })).toMatchObject({ status: 400 });
  const answer = await sign({ ...request, commands: "[install" });
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).toContain("flockcast.toml");
});

test("a source without keys refuses to sign, and names the command that publishes", async () => {
  const { request } = await digested();
  await rm(join(fixture.folder, dataFiles.signingKeys.name));
  const answer = await sign(request);
  expect(answer.status).toBe(409);
  expect(JSON.stringify(answer.body)).toContain("flockcast-source publish PATH");
});
