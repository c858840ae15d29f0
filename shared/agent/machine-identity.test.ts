import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { machineDigest } from "./machine-identity.ts";

const machine = (system: string, firmware = "") => Promise.resolve({ system, firmware });

test("a machine has one identity for each data folder and deployment, also through a link", async () => {
  const { path, remove } = temporaryFolder("machine");
  try {
    const [one, other] = [join(path, "one"), join(path, "other")];
    for (const folder of [one, other]) mkdirSync(folder);
    symlinkSync(one, join(path, "link"));
    const digests = await Promise.all([
      machineDigest(one, 7, machine("a")),
      machineDigest(other, 7, machine("a")),
      machineDigest(one, 8, machine("a")),
      machineDigest(one, 7, machine("b")),
      machineDigest(one, 7, machine("a", "f")),
    ]);
    expect(new Set(digests).size).toBe(digests.length);
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await machineDigest(join(path, "link"), 7, machine("a"))).toBe(digests[0]!);
  } finally {
    remove();
  }
});

test("a machine that tells no id keeps a random one in the data folder", async () => {
  const { path, remove } = temporaryFolder("machine");
  try {
    writeFileSync(join(path, "ledger.db"), "");
    // The host of a container tells the same id to all of its containers.
    const first = await machineDigest(path, 7, machine("", "host"));
    rmSync(join(path, "ledger.db"));
    expect(await machineDigest(path, 7, machine(""))).toBe(first);
    expect(readFileSync(join(path, "machine.id"), "utf8")).toMatch(/^[0-9a-f]{32}\n$/);
    writeFileSync(join(path, "machine.id"), "damaged");
    expect(await machineDigest(path, 7, machine(""))).not.toBe(first);
  } finally {
    remove();
  }
});
