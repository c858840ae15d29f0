/** Tests of the recovery file, also by an implementation of its cryptography without WebCrypto. */
import { createDecipheriv, createPrivateKey, createPublicKey, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "bun:test";
import {
  openRecoveryFile,
  readRecoveryFile,
  RecoveryError,
  writeRecoveryFile,
  type RecoveryContent,
  type RecoveryFile,
} from "./recovery-file.ts";

const { subtle } = crypto;
/** Private key of the seed 00 01 02 … 1f, and its public key (RFC 8410, RFC 8032). */
const privateKey = new Uint8Array(
  Buffer.concat([
    Buffer.from("302e020100300506032b657004220420", "hex"),
    Buffer.from(Array.from({ length: 32 }, (_, at) => at)),
  ]),
);
const publicKeyOf = (der: Uint8Array): string =>
  Buffer.from(
    createPublicKey(createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" })).export({
      format: "jwk",
    }).x!,
    "base64url",
  ).toString("hex");
const key = publicKeyOf(privateKey);
const content: RecoveryContent = {
  deployment: 7,
  root: "ab".repeat(32),
  keys: [
    { use: "root", key, privateKey },
    { use: "signing", key, privateKey },
  ],
};
const password = "correct horse battery";
const random = { subtle, salt: new Uint8Array(16).fill(1), nonce: new Uint8Array(12).fill(2) };
const text = await writeRecoveryFile(content, password, random);

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof RecoveryError) return error.code;
    throw error;
  }
  return "opened";
};
const changed = (change: (file: RecoveryFile) => object): string => {
  const file = JSON.parse(text) as RecoveryFile;
  return JSON.stringify({ ...file, ...change(file) });
};

describe("a recovery file", () => {
  test("gives the keys back with its password, whatever keyboard composed the letters", async () => {
    expect(await openRecoveryFile(text, password, subtle)).toEqual(content);
    const accented = await writeRecoveryFile(content, "p\u00e4sswort p\u00e4sswort", random);
    expect(await openRecoveryFile(accented, "pa\u0308sswort pa\u0308sswort", subtle)).toEqual(content);
  });

  test("has the bytes that its description states, and opens without this code", () => {
    expect(key).toBe("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    const file = JSON.parse(text) as RecoveryFile;
    expect(file.digest).toBe("2eabf645b06ecbeef89fe67ac7a921833c45647b93568a07436f1dd8643d0539");
    const { iterations, salt } = file.derivation;
    expect(iterations).toBe(1_000_000);
    const cipherKey = pbkdf2Sync(password, Buffer.from(salt, "base64"), iterations, 32, "sha256");
    const sealed = Buffer.from(file.secret, "base64");
    const opened = createDecipheriv("aes-256-gcm", cipherKey, Buffer.from(file.cipher.nonce, "base64"));
    opened.setAAD(
      Buffer.from(
        `flockcast recovery file 1\n7\n${"ab".repeat(32)}\nroot ${key}\nsigning ${key}\n` +
          "PBKDF2-SHA-256 1000000 AQEBAQEBAQEBAQEBAQEBAQ==\nAES-256-GCM AgICAgICAgICAgIC\n",
      ),
    );
    opened.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([opened.update(sealed.subarray(0, -16)), opened.final()]);
    expect(plain.equals(Buffer.concat([privateKey, privateKey]))).toBe(true);
  });

  test("tells a wrong password from a damaged file", async () => {
    expect(await codeOf(openRecoveryFile(text, "correct horse batterie", subtle))).toBe("wrong-password");
    const { secret } = JSON.parse(text) as RecoveryFile;
    const other = secret.startsWith("A") ? "B" : "A";
    const damaged = changed(() => ({ secret: other + secret.slice(1) }));
    expect(await codeOf(openRecoveryFile(damaged, password, subtle))).toBe("damaged");
    expect(await codeOf(openRecoveryFile(text.slice(0, -40), password, subtle))).toBe("damaged");
  });

  test("with any changed byte is not opened", async () => {
    // Without the derivation, which takes most of the time: the digest refuses each change first.
    const codes = new Set<string>();
    for (let at = 0; at < text.length; at++) {
      if (/\s/.test(text[at]!)) continue;
      const other = text[at] === "0" ? "1" : "0";
      codes.add(await codeOf(readRecoveryFile(text.slice(0, at) + other + text.slice(at + 1), subtle)));
    }
    expect(codes).not.toContain("opened");
    expect(codes).toContain("damaged");
  });

  test("whose head an attacker changed together with the digest is not opened", async () => {
    const file = JSON.parse(text) as RecoveryFile;
    const root = "cd".repeat(32);
    const whole = `flockcast recovery file 1\n7\n${root}\nroot ${key}\nsigning ${key}\n${file.derivation.name} ${file.derivation.iterations} ${file.derivation.salt}\n${file.cipher.name} ${file.cipher.nonce}\n${file.secret}\n`;
    const digest = new Bun.CryptoHasher("sha256").update(whole).digest("hex");
    expect(await codeOf(readRecoveryFile(JSON.stringify({ ...file, root, digest }), subtle))).toBe("opened");
    expect(await codeOf(openRecoveryFile(JSON.stringify({ ...file, root, digest }), password, subtle))).toBe(
      "wrong-password",
    );
  });

  test.each<[string, string, string]>([
    ["another file", "other-file", "PNG"],
    ["JSON of something else", "other-file", "[1]"],
    ["a file of a later version", "later-version", changed(() => ({ version: 2 }))],
    [
      "a file whose password is guessed quickly",
      "damaged",
      changed(({ derivation }) => ({ derivation: { ...derivation, iterations: 1_000 } })),
    ],
    [
      "a file that keeps the processor busy",
      "damaged",
      changed(({ derivation }) => ({ derivation: { ...derivation, iterations: 4e9 } })),
    ],
  ])("is not %s", async (_, code, given) => {
    expect(await codeOf(openRecoveryFile(given, password, subtle))).toBe(code);
  });
});
