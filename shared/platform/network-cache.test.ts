import { expect, test } from "bun:test";
import { cachedNetwork } from "./network-cache.ts";

test("the system is asked again only after the age", async () => {
  let asked = 0;
  const read = async () => {
    asked++;
    return { interfaces: new Map(), gateways: new Map([["eth0", new Set([String(asked)])]]) };
  };
  const network = cachedNetwork(60_000, read);
  expect(await network()).toEqual(await network());
  expect(asked).toBe(1);
  const always = cachedNetwork(-1, read);
  await always();
  await always();
  expect(asked).toBe(3);
});
