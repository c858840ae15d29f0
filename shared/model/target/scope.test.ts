import { describe, expect, test } from "bun:test";
import { isWithinScope, matcherOf, parseTarget, targetInScope, type TargetView } from "./index.ts";

const scope = ["berlin", "Kiel"];
const viewOf = (id: string, names: string[], tags: string[]): TargetView => ({
  id,
  names,
  tags,
  subnet: null,
  site: null,
  os: "linux",
  arch: "x64",
  agentVersion: "1",
  resultIn: () => null,
  versionsOf: () => [],
});
const inside = viewOf("00000000000000aa", ["pc-1"], ["BERLIN"]);
const outside = viewOf("00000000000000bb", ["pc-2"], ["hamburg"]);

describe("a target in a scope matches its devices of the scope and no others:", () => {
  test.each([
    ["all", true],
    ["pc-1,pc-2", true],
    ["00000000000000aa,00000000000000bb", true],
    ["os=linux or tag=hamburg", true],
    ["not tag=kiel", true],
    ["tag=hamburg", false],
    ["tag=berlin or all", true],
    ["pc-2", false],
  ])("%s", (text, matches) => {
    const limited = targetInScope(text, scope);
    const isMatching = matcherOf(parseTarget(limited));
    expect([isMatching(inside), isMatching(outside)]).toEqual([matches, false]);
    expect(isWithinScope(limited, scope)).toBe(true);
    expect(targetInScope(limited, scope)).toBe(limited);
  });
});

test.each([
  ["tag=berlin", true],
  ["group:KIEL and os=linux", true],
  ["tag in (kiel, berlin)", true],
  ["tag=berlin or (tag=kiel and os=linux)", true],
  ["tag in (berlin, hamburg)", false],
  ["tag=ber*", false],
  ["tag!=berlin", false],
  ["not tag=berlin", false],
  ["tag=berlin or os=linux", false],
  ["all", false],
  ["not a target (", false],
])("the target %j lies within the scope: %p", (text, expected) => {
  expect(isWithinScope(text, scope)).toBe(expected);
});

test("a scope without tags leaves targets as they are", () => {
  expect(targetInScope("pc-1", [])).toBe("pc-1");
});

test("a target that is too long with the scope is refused", () => {
  expect(() =>
    targetInScope(`name=${"x".repeat(200)} or `.repeat(9).concat("os=linux"), ["y".repeat(64)]),
  ).not.toThrow();
  const long = Array.from({ length: 80 }, () => `name=${"x".repeat(16)}`).join(" or ");
  expect(() => targetInScope(long, ["y".repeat(64), "z".repeat(64)])).toThrow("more than 2048");
});
