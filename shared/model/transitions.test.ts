import { expect, test } from "bun:test";
import { BugError } from "./assert.ts";
import { checkedBy, type Transitions } from "./transitions.ts";

type Lamp =
  { readonly kind: "off" } | { readonly kind: "on"; readonly watts: number } | { readonly kind: "broken" };

const table = {
  off: ["on", "broken"],
  on: ["on", "off", "broken"],
  broken: [],
} as const satisfies Transitions<Lamp["kind"]>;
const nextLamp = checkedBy<Lamp>("lamp", table);

const lamps: readonly Lamp[] = [{ kind: "off" }, { kind: "on", watts: 5 }, { kind: "broken" }];
const pairs = lamps.flatMap((from) => lamps.map((to) => [from, to] as const));

test.each(pairs)("a change from %j to %j is made exactly when the table lists it", (from, to) => {
  const isListed = (table[from.kind] as readonly string[]).includes(to.kind);
  if (isListed) expect(nextLamp(from, to)).toBe(to);
  else expect(() => nextLamp(from, to)).toThrow(BugError);
});

test("an illegal change names the machine and both states", () => {
  expect(() => nextLamp({ kind: "broken" }, { kind: "off" })).toThrow(
    "illegal change of a lamp: broken → off",
  );
});
