/** The statement of a source: its signed bytes, its signature and its schema. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { statementSchema } from "../api/schema/identity.ts";
import {
  identityFingerprint,
  isSigned,
  signStatement,
  statementBytes,
  type IdentityKey,
} from "./source-statement.ts";

function newKey(): IdentityKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return { privateKey, publicKey: new Uint8Array(Buffer.from(x!, "base64url")) };
}

const said = {
  deployment: 7,
  tlsSpki: "a".repeat(64),
  announcedUrl: "https://new.example:7443",
  sourceTimeMs: 1_700_000_000_000,
  version: "1.0.0",
  nonce: "0123456789abcdef",
};

test("is encoded as a domain and one line for each field, with - for null", () => {
  const bytes = statementBytes({ ...said, identityKey: "KEY=", announcedUrl: null });
  expect(Buffer.from(bytes).toString()).toBe(
    `flockcast source statement 1\n7\nKEY=\n${"a".repeat(64)}\n-\n1700000000000\n1.0.0\n0123456789abcdef\n`,
  );
});

describe("a signed statement", () => {
  const key = newKey();
  const statement = signStatement(said, key);

  test("holds as it is, and matches the schema after a round of JSON", () => {
    expect(isSigned(statement)).toBe(true);
    expect(v.parse(statementSchema, JSON.parse(JSON.stringify(statement)))).toEqual(statement);
    expect(identityFingerprint(Buffer.from(statement.identityKey, "base64"))).toBe(
      identityFingerprint(key.publicKey),
    );
  });

  test.each([
    ["deployment", { deployment: 8 }],
    ["identity key", { identityKey: Buffer.from(newKey().publicKey).toString("base64") }],
    ["broken identity key", { identityKey: "AAAA" }],
    ["certificate", { tlsSpki: "b".repeat(64) }],
    ["missing certificate", { tlsSpki: null }],
    ["address", { announcedUrl: "https://evil.example:7443" }],
    ["time", { sourceTimeMs: 1_700_000_000_001 }],
    ["version", { version: "1.0.1" }],
    ["nonce", { nonce: null }],
    ["signature", { signature: Buffer.alloc(64).toString("base64") }],
  ])("does not hold with another %s", (_, change) => {
    expect(isSigned({ ...statement, ...change })).toBe(false);
  });

  test.each([
    ["a path in the address", { announcedUrl: "https://new.example/x" }],
    ["a line break in the version", { version: "1\n2" }],
    ["another scheme", { announcedUrl: "ftp://new.example" }],
    ["a short hash", { tlsSpki: "aa" }],
    ["a nonce of other letters", { nonce: "zzzzzzzzzzzzzzzz" }],
  ])("is refused by the schema with %s", (_, change) => {
    expect(v.safeParse(statementSchema, { ...statement, ...change }).success).toBe(false);
  });
});
