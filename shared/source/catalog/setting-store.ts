/**
 * Interface of the store of agent settings: their tree, their versions, and the order in which
 * targets get them. The rules are in model/setting-inheritance.ts and the routes.
 */
import type { SettingAssignment, SettingNode, SettingTree } from "../../model/setting-inheritance.ts";

export type SettingContent = Pick<SettingNode, "parent" | "differences">;
export type SettingVersionRecord = SettingContent & {
  readonly version: number;
  /** Null for a version that an earlier program stored. */
  readonly changedAtMs: number | null;
  /** Name of the person's token or user; null for a change of the source itself. */
  readonly changedBy: string | null;
};
/** Uses of a setting, which prevent its removal. */
export type SettingUses = {
  /** Open tasks that name it. */
  readonly tasks: readonly number[];
  readonly children: readonly string[];
  /** Targets that it is assigned to. */
  readonly targets: readonly string[];
};

/** Every `decide` runs in the transaction that stores its result. */
export interface SettingStore {
  /** Returns all settings, `default` first, then by name. */
  tree(): Promise<SettingTree>;
  /** Returns the stored versions of a setting, the newest first. */
  versions(name: string): Promise<SettingVersionRecord[]>;
  /**
   * Stores the content as version 1 of a new setting, or as the next version.
   * @param decide returns null to change nothing
   * @returns the settings before and after
   */
  change(
    name: string,
    atMs: number,
    decide: (tree: SettingTree) => SettingContent | null,
  ): Promise<{ before: SettingTree; after: SettingTree }>;
  /** Renames a setting, also in its children, assignments and tasks. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a setting with its versions, unless it is used. @returns its uses */
  remove(name: string): Promise<SettingUses>;
  uses(name: string): Promise<SettingUses>;
  /** Returns the assignments in the order of precedence. */
  assignments(): Promise<SettingAssignment[]>;
  changeAssignments(
    decide: (before: readonly SettingAssignment[]) => SettingAssignment[],
  ): Promise<{ before: SettingAssignment[]; after: SettingAssignment[] }>;
}
