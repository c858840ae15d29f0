/** Command `trust recover` with real files. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeRecoveryFile, type RecoveryKey } from "../../model/trust/index.ts";
import { readKeyFile } from "./key-files.ts";
import { recoverKeys } from "./trust-recover.ts";

const password = "correct horse battery";
let folder: string;
let file: string;
let passwordFile: string;
let out: string;
let keys: RecoveryKey[];

const newKey = (use: RecoveryKey["use"]): RecoveryKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  const key = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url").toString("hex");
  return { use, key, privateKey: new Uint8Array(der) };
};
const write = async (given: RecoveryKey[]): Promise<void> => {
  const random = { subtle: crypto.subtle, salt: new Uint8Array(16), nonce: new Uint8Array(12) };
  await writeFile(
    file,
    await writeRecoveryFile({ deployment: 7, root: "ab".repeat(32), keys: given }, password, random),
  );
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-recover-"));
  [file, passwordFile, out] = [join(folder, "r.json"), join(folder, "password"), join(folder, "keys")];
  keys = [newKey("root"), newKey("signing")];
  await write(keys);
  await writeFile(passwordFile, `${password}\n`);
});
afterEach(() => rm(folder, { recursive: true }));

const errorOf = (): Promise<string> =>
  recoverKeys(file, { out, passwordFile }).then(
    () => "",
    (error: Error) => error.message,
  );

test("writes private key files that the other commands read, again without a change", async () => {
  await recoverKeys(file, { out, passwordFile });
  expect(await errorOf()).toBe("");
  for (const { use, key } of keys) {
    const keyFile = join(out, `${use}.key`);
    expect((await readKeyFile(keyFile, "key")).key).toBe(key);
    expect((await stat(keyFile)).mode & 0o077).toBe(0);
  }
});

test("writes nothing for a wrong password, a damaged file, or a key of another public key", async () => {
  await writeFile(passwordFile, "correct horse batterie\n");
  expect(await errorOf()).toContain("password does not open");
  await writeFile(passwordFile, `${password}\n`);
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace('"deployment": 7', '"deployment": 8'));
  expect(await errorOf()).toContain("damaged");
  await write([{ ...keys[0]!, key: keys[1]!.key }]);
  expect(await errorOf()).toContain("does not belong to its public key");
  await writeFile(file, "x".repeat(20_000));
  expect(await errorOf()).toContain("not a recovery file");
  expect(await stat(out).catch(() => null)).toBeNull();
});
