/** Resolution of settings over drawn trees, differences and assignments. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  defaultSettingValues,
  settingFields,
  type SettingDifferences,
  type SettingField,
} from "./setting.ts";
import {
  assignmentFor,
  changesBetween,
  ownSettingName,
  parentProblem,
  resolveSetting,
  rootSetting,
  settingDepthMax,
  settingsWithOtherValues,
  withAssignment,
  type SettingAssignment,
  type SettingNode,
  type SettingTree,
} from "./setting-inheritance.ts";

const node = (name: string, parent: string | null, differences: SettingDifferences = {}): SettingNode => ({
  name,
  version: 1,
  parent,
  differences,
});
const treeOf = (nodes: readonly SettingNode[]): SettingTree => new Map(nodes.map((one) => [one.name, one]));

/** Fields of four types, so that drawn settings often set the same one. */
const differences: fc.Arbitrary<SettingDifferences> = fc.record(
  {
    useMulticast: fc.boolean(),
    sessionStartDelayMs: fc.integer({ min: 0, max: 9 }),
    lanRateBps: fc.option(fc.integer({ min: 64_000, max: 64_009 })),
    commandSuccessExitCodes: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);

/** Trees in which the parent of each setting was drawn before it, as deep as the bound allows. */
const trees: fc.Arbitrary<SettingNode[]> = fc
  .array(fc.tuple(differences, fc.nat()), { minLength: 1, maxLength: 12 })
  .map((drawn) => {
    const nodes: SettingNode[] = [];
    for (const [index, [own, choice]] of drawn.entries()) {
      const possible = nodes.filter(({ name }) => parentProblem(treeOf(nodes), "new", name) === null);
      const parent = index === 0 ? null : possible[choice % possible.length]!.name;
      nodes.push(node(index === 0 ? rootSetting : `s${index}`, parent, own));
    }
    return nodes;
  });

/** Returns a value by walking from the root down: another way than the one that is tested. */
function valueFromRoot(tree: SettingTree, name: string, field: SettingField): unknown {
  const { parent, differences: own } = tree.get(name)!;
  const inherited = parent === null ? defaultSettingValues[field] : valueFromRoot(tree, parent, field);
  return Object.hasOwn(own, field) ? own[field] : inherited;
}

describe("a setting", () => {
  test("has of each field the value nearest to it, and names the setting that sets it", () => {
    fc.assert(
      fc.property(trees, (nodes) => {
        const tree = treeOf(nodes);
        for (const { name } of nodes) {
          const { values, origins, parents } = resolveSetting(tree, name);
          const line = [name, ...parents.map((parent) => parent.name)];
          expect(line.at(-1)).toBe(rootSetting);
          expect(line.length).toBeLessThanOrEqual(settingDepthMax);
          for (const field of settingFields) {
            expect(values[field]).toEqual(valueFromRoot(tree, name, field) as never);
            const nearest = line.find((one) => Object.hasOwn(tree.get(one)!.differences, field));
            expect(origins[field]).toBe(nearest ?? null);
          }
        }
      }),
    );
  });

  test("changes its values exactly where none between it and the changed one sets the field", () => {
    fc.assert(
      fc.property(trees, fc.nat(), differences, (nodes, choice, own) => {
        const changed = nodes[choice % nodes.length]!;
        const before = treeOf(nodes);
        const after = new Map(before).set(changed.name, { ...changed, differences: own });
        const reached = settingsWithOtherValues(before, after);
        for (const { name } of nodes) {
          const line = [name, ...resolveSetting(after, name).parents.map((parent) => parent.name)];
          const changes = changesBetween(resolveSetting(before, name), resolveSetting(after, name));
          if (!line.includes(changed.name)) expect(changes).toEqual([]);
          const hasOtherValue = changes.some(
            (one) => JSON.stringify(one.before.value) !== JSON.stringify(one.after.value),
          );
          expect([name, reached.includes(name)]).toEqual([name, hasOtherValue]);
          const below = line.slice(0, Math.max(0, line.indexOf(changed.name)));
          for (const { field } of changes)
            expect(below.some((one) => Object.hasOwn(before.get(one)!.differences, field))).toBe(false);
        }
      }),
    );
  });

  test("without differences has the built-in values", () => {
    expect(resolveSetting(treeOf([node(rootSetting, null)]), rootSetting)).toMatchObject({
      values: defaultSettingValues,
      parents: [],
    });
  });
});

describe("a parent", () => {
  const tree = treeOf([node(rootSetting, null), node("a", rootSetting), node("b", "a"), node("c", "b")]);

  test.each([
    [rootSetting, "a", "is the root"],
    ["b", "gone", "no setting is named"],
    ["b", "b", "descends from"],
    ["a", "c", "descends from"],
  ])("of %s is not %s: %s", (name, parent, why) => {
    expect(parentProblem(tree, name, parent)).toContain(why);
  });

  test("never makes a cycle, or a line longer than the bound", () => {
    fc.assert(
      fc.property(trees, fc.nat(), fc.nat(), (nodes, one, other) => {
        const moved = nodes[one % nodes.length]!;
        const parent = nodes[other % nodes.length]!.name;
        if (parentProblem(treeOf(nodes), moved.name, parent) !== null) return;
        const after = new Map(treeOf(nodes)).set(moved.name, { ...moved, parent });
        // An assertion of the resolution fails for a cycle, and for a line that is too long.
        for (const { name } of nodes) resolveSetting(after, name);
      }),
    );
  });

  test("may have a line of settings below it up to the bound, and not more", () => {
    const line = Array.from({ length: settingDepthMax - 1 }, (_, index) =>
      node(`s${index}`, index === 0 ? null : `s${index - 1}`),
    );
    const nodes = [node(rootSetting, null), ...line.slice(1), node("s0", "x"), node("x", rootSetting)];
    const without = treeOf(nodes.filter(({ name }) => name !== "s0" && name !== "x"));
    const detached = new Map(without).set("s0", node("s0", null));
    expect(parentProblem(detached, "s0", rootSetting)).toBeNull();
    const deeper = new Map(detached).set("x", node("x", rootSetting));
    expect(parentProblem(deeper, "s0", "x")).toContain(`at most ${settingDepthMax}`);
  });
});

const targets = ["all", "group:a", "group:b", "device:1", "device:2"] as const;
const assignmentLists: fc.Arbitrary<SettingAssignment[]> = fc
  .uniqueArray(fc.constantFrom(...targets))
  .chain((chosen) =>
    fc.tuple(
      ...chosen.map((target) =>
        fc.record({ setting: fc.constantFrom("x", "y", "z"), target: fc.constant(target) }),
      ),
    ),
  );

describe("the own setting of a device", () => {
  test("is that of the first assignment that matches it, and default without one", () => {
    fc.assert(
      fc.property(assignmentLists, fc.subarray([...targets]), (assignments, matching) => {
        const isTargeted = (target: string): boolean => (matching as string[]).includes(target);
        const at = assignmentFor(assignments, isTargeted);
        expect(assignments.slice(0, Math.max(0, at)).some(({ target }) => isTargeted(target))).toBe(false);
        if (at >= 0) expect(isTargeted(assignments[at]!.target)).toBe(true);
        else expect(assignments.some(({ target }) => isTargeted(target))).toBe(false);
        const expected = at < 0 ? rootSetting : assignments[at]!.setting;
        expect(ownSettingName(assignments, isTargeted)).toBe(expected);
      }),
    );
  });

  test("follows a new assignment at its rank, which keeps the order of the others", () => {
    const rank = fc.option(fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(assignmentLists, fc.constantFrom(...targets), rank, (before, target, place) => {
        const given = { setting: "new", target };
        const after = withAssignment(before, given, place);
        const others = before.filter((one) => one.target !== target);
        expect(after.filter((one) => one.target !== target)).toEqual(others);
        const old = before.findIndex((one) => one.target === target);
        const last = others.length;
        const expected = place === null ? (old < 0 ? last : old) : Math.min(place - 1, last);
        expect(after[expected]).toEqual(given);
        expect(after).toHaveLength(others.length + 1);
      }),
    );
  });
});
