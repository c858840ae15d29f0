import { expect, test } from "bun:test";
import { buildTargets, nativeTargetName, parseTargets } from "./targets.ts";

test("without a word, the target is this machine", () => {
  expect(parseTargets([]).map(({ name }) => name)).toEqual([nativeTargetName()]);
});

test("all means every target once, however often it is written", () => {
  expect(parseTargets(["all", "linux-x64", "bun-linux-x64,darwin-arm64"])).toEqual([...buildTargets]);
});

test("an unknown target is quoted, and the known ones are listed", () => {
  expect(() => parseTargets(["amiga"])).toThrow(/"amiga".*linux-x64.*windows-x64/);
});
