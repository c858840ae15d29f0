import { expect, test } from "bun:test";
import { buildTargets, nativeTargetName, parseTargets } from "./targets.ts";

test("chooses this machine without a name", () => {
  expect(parseTargets([]).map(({ name }) => name)).toEqual([nativeTargetName()]);
});

test("chooses every target once for all, with names repeated", () => {
  expect(parseTargets(["all", "linux-x64", "bun-linux-x64,darwin-arm64"])).toEqual([...buildTargets]);
});

test("quotes an unknown target and lists the known ones", () => {
  expect(() => parseTargets(["amiga"])).toThrow(/"amiga".*linux-x64.*windows-x64/);
});
