import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { PasswordHashes } from "./password-hashes.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

test("makes at most two hashes at the same time, and refuses when too many wait", async () => {
  const hashes = new PasswordHashes();
  const hash = await hashes.hash("correct horse battery");
  expect(hash).toStartWith("$argon2id$v=19$m=65536,t=2,p=1$");
  await hashes.verify("wrong", hash);
  const ended = Promise.allSettled(Array.from({ length: 35 }, () => hashes.verify("wrong", hash)));
  await Bun.sleep(0);
  expect(hashes.load).toEqual({ running: 2, waiting: 32 });
  const results = await ended;
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(34);
  expect(results.at(-1)).toMatchObject({ reason: { status: 503 } });
  expect(hashes.load).toEqual({ running: 0, waiting: 0 });
});

test("hashes for a user without a password too, so that the answer takes as long", async () => {
  const hashes = new PasswordHashes();
  await hashes.verify("wrong", null);
  const answer = hashes.verify("wrong", null);
  await Bun.sleep(0);
  expect(hashes.load).toEqual({ running: 1, waiting: 0 });
  expect(await answer).toBe(false);
});

test("fits the password in both forms of its letters, and never a user without one", async () => {
  const hashes = new PasswordHashes();
  const hash = await hashes.hash("Ko\u0308ln am Rhein");
  expect(await hashes.verify("K\u00f6ln am Rhein", hash)).toBe(true);
  expect(await hashes.verify("Koln am Rhein", hash)).toBe(false);
  expect(await hashes.verify("", null)).toBe(false);
});

test("checks passwords again after a hash that failed, such as for want of memory", async () => {
  const hashes = new PasswordHashes();
  const hash = await hashes.hash("correct horse battery");
  const failing = spyOn(Bun.password, "hash").mockRejectedValueOnce(new Error("out of memory"));
  await expect(hashes.verify("correct horse battery", hash)).rejects.toThrow("out of memory");
  failing.mockRestore();
  expect(await hashes.verify("correct horse battery", hash)).toBe(true);
});
