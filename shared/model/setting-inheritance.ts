/**
 * Inheritance and assignment of settings. A setting holds its differences to its parent. The root
 * is `default`, which differs from the built-in values. Every reader of values uses
 * `resolveSetting`. Pure.
 */
import { assert } from "./assert.ts";
import {
  defaultSettingValues,
  settingFields,
  type SettingDifferences,
  type SettingField,
  type SettingValues,
} from "./setting.ts";

export const rootSetting = "default";
/** Upper bound on the settings from one to `default`, both included. */
export const settingDepthMax = 8;

export type SettingNode = {
  readonly name: string;
  /** Counts the changes of differences and parent, from 1. */
  readonly version: number;
  /** Null for `default` only. */
  readonly parent: string | null;
  readonly differences: SettingDifferences;
};
export type SettingTree = ReadonlyMap<string, SettingNode>;

export type SettingVersionName = { readonly name: string; readonly version: number };
export type ResolvedSetting = SettingVersionName & {
  /** From the parent to `default`. */
  readonly parents: readonly SettingVersionName[];
  readonly values: SettingValues;
  /** Setting that sets a field; null: the value is built in. */
  readonly origins: Readonly<Record<SettingField, string | null>>;
};

/** Returns a setting, its parent and so on, up to `default`. */
function lineOf(tree: SettingTree, name: string): SettingNode[] {
  const line: SettingNode[] = [];
  for (let node = tree.get(name); node !== undefined; node = tree.get(node.parent ?? "")) {
    assert(line.length < settingDepthMax, "settings have a cycle, or are too deep");
    line.push(node);
  }
  return line;
}

/** Returns the values of a setting of the tree: of each field, the difference nearest to it. */
export function resolveSetting(tree: SettingTree, name: string): ResolvedSetting {
  const [own, ...parents] = lineOf(tree, name);
  assert(own !== undefined, "a resolved setting exists");
  const line = [own, ...parents];
  const values: Record<string, unknown> = {};
  const origins: Record<string, string | null> = {};
  for (const field of settingFields) {
    const setter = line.find(({ differences }) => Object.hasOwn(differences, field));
    values[field] = setter === undefined ? defaultSettingValues[field] : setter.differences[field];
    origins[field] = setter?.name ?? null;
  }
  return {
    name,
    version: own.version,
    parents: parents.map(({ name: parent, version }) => ({ name: parent, version })),
    values: values as SettingValues,
    origins: origins as ResolvedSetting["origins"],
  };
}

/** Returns why `parent` cannot be the parent of a setting, which may be new; null if it can. */
export function parentProblem(tree: SettingTree, name: string, parent: string): string | null {
  if (name === rootSetting) return `"${rootSetting}" is the root and has no parent`;
  if (!tree.has(parent)) return `no setting is named "${parent}"`;
  const line = lineOf(tree, parent);
  if (line.some((node) => node.name === name)) return `"${parent}" descends from "${name}"`;
  if (line.length + heightOf(tree, name) <= settingDepthMax) return null;
  return `at most ${settingDepthMax} settings may follow each other, with ${rootSetting}`;
}

/** Returns the number of settings in the longest line that ends with this one, itself included. */
function heightOf(tree: SettingTree, name: string): number {
  const children = [...tree.values()].filter(({ parent }) => parent === name);
  return 1 + Math.max(0, ...children.map((child) => heightOf(tree, child.name)));
}

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Change of a resolved field. `from` is the setting that sets the value; null: it is built in. */
export type FieldChange = {
  readonly field: SettingField;
  readonly before: { readonly value: unknown; readonly from: string | null };
  readonly after: { readonly value: unknown; readonly from: string | null };
};

/** Returns the fields whose value differs, or whose value is set by another setting. */
export function changesBetween(before: ResolvedSetting, after: ResolvedSetting): FieldChange[] {
  return settingFields.flatMap((field) => {
    const sides = [before, after].map(({ values, origins }) => ({
      value: values[field] as unknown,
      from: origins[field],
    }));
    return isEqual(sides[0], sides[1]) ? [] : [{ field, before: sides[0]!, after: sides[1]! }];
  });
}

/** Returns the fields whose values differ. */
export const differingFields = (a: SettingDifferences, b: SettingDifferences): SettingField[] =>
  settingFields.filter((field) => !isEqual(a[field], b[field]));

/** Returns the settings of both trees whose values differ between them. */
export function settingsWithOtherValues(before: SettingTree, after: SettingTree): string[] {
  return [...after.keys()].filter(
    (name) =>
      before.has(name) &&
      differingFields(resolveSetting(before, name).values, resolveSetting(after, name).values).length > 0,
  );
}

export type SettingAssignment = { readonly setting: string; readonly target: string };

/**
 * Returns the place of the assignment that gives a device its own setting; -1: none, so that
 * `default` counts.
 * @param assignments in the order of precedence
 */
export const assignmentFor = (
  assignments: readonly SettingAssignment[],
  isTargeted: (target: string) => boolean,
): number => assignments.findIndex(({ target }) => isTargeted(target));

/** Returns the name of a device's own setting. */
export const ownSettingName = (
  assignments: readonly SettingAssignment[],
  isTargeted: (target: string) => boolean,
): string => assignments[assignmentFor(assignments, isTargeted)]?.setting ?? rootSetting;

/**
 * Returns the assignments with one more, or with another setting or rank for a target that has one.
 *
 * @param rank place in the order from 1; null: the last place, or the one that the target has
 */
export function withAssignment(
  assignments: readonly SettingAssignment[],
  given: SettingAssignment,
  rank: number | null,
): SettingAssignment[] {
  const at = assignments.findIndex(({ target }) => target === given.target);
  const others = assignments.filter((_, index) => index !== at);
  return others.toSpliced(rank === null ? (at < 0 ? others.length : at) : rank - 1, 0, given);
}
