import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifestOf } from "./testing.ts";
import { encodeManifest, packageId } from "./manifest-codec.ts";
import { signed, verifySigned } from "./signing.ts";
import { loadOrCreatePublisherKey } from "../source/publishing/publisher-key.ts";

const folder = mkdtempSync(join(tmpdir(), "flockcast-signing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = encodeManifest(
  manifestOf(new Uint8Array([7]), {
    files: [{ path: "x", sizeBytes: 1, mode: 0o755 }],
    chunkSizeBytes: 262_144,
  }),
);

describe("the publisher's key", () => {
  test("is created once, readable by its owner only, also when several programs start together", async () => {
    const file = join(folder, "keys", "publisher.pem");
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadOrCreatePublisherKey(file)));
    const again = await loadOrCreatePublisherKey(file);
    for (const key of keys) expect(key.publicKey).toEqual(again.publicKey);
    expect(again.publicKey.length).toBe(32);
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toContain("PRIVATE KEY");
    expect(readdirSync(join(folder, "keys"))).toEqual(["publisher.pem"]);
  });

  test("is refused with an error that names the file when the file holds something else", async () => {
    const file = join(folder, "wrong.pem");
    writeFileSync(file, "hello");
    expect(loadOrCreatePublisherKey(file)).rejects.toThrow("wrong.pem");
  });
});

describe("a signed manifest", () => {
  test("is accepted only unchanged and from a pinned publisher", async () => {
    const key = await loadOrCreatePublisherKey(join(folder, "a.pem"));
    const stranger = await loadOrCreatePublisherKey(join(folder, "b.pem"));
    const envelope = signed(bytes, key);
    expect((await verifySigned(envelope, [stranger.publicKey, key.publicKey])).id).toBe(packageId(bytes));

    await expect(verifySigned(envelope, [stranger.publicKey])).rejects.toThrow("Unknown publisher");
    await expect(verifySigned(envelope, [])).rejects.toThrow("Unknown publisher");
    const pins = [key.publicKey];
    const forged = { ...signed(bytes, stranger), publisherKey: key.publicKey };
    await expect(verifySigned(forged, pins)).rejects.toThrow("Bad signature");
    await expect(verifySigned({ ...envelope, signature: new Uint8Array(63) }, pins)).rejects.toThrow(
      "Bad signature",
    );
    const changed = bytes.slice();
    changed[5]! ^= 1;
    await expect(verifySigned({ ...envelope, manifest: changed }, pins)).rejects.toThrow("Bad signature");
    const short = new Uint8Array(5);
    await expect(verifySigned({ ...envelope, publisherKey: short }, [short])).rejects.toThrow(
      "Unknown publisher",
    );
  });

  test("is refused when it breaks a rule, despite a valid signature", async () => {
    const key = await loadOrCreatePublisherKey(join(folder, "a.pem"));
    await expect(verifySigned(signed(Uint8Array.of(1, 2, 3), key), [key.publicKey])).rejects.toThrow(
      "manifest",
    );
  });
});
