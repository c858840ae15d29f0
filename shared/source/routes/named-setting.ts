/** Finds the setting that a request names. */
import { nearNames } from "../../model/near-names.ts";
import type { SettingNode, SettingTree } from "../../model/setting-inheritance.ts";
import { ApiError } from "../api-error.ts";

/** @throws ApiError 404 that lists near names */
export function settingNamed(tree: SettingTree, name: string): SettingNode {
  const found = tree.get(name);
  if (found !== undefined) return found;
  const near = nearNames(name, tree.keys());
  const hint = near.length === 0 ? "" : `did you mean ${near.join(" or ")}? `;
  throw new ApiError(404, `No setting named "${name}"`, `${hint}setting list shows all`);
}
