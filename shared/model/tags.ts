/** Tags of a device: a list of names that compare without case. Pure. */
import { foldedName } from "./glob.ts";

/** Returns the tags after a change, in their order; a tag keeps the spelling it was given first. */
export function changedTags(
  tags: readonly string[],
  add: readonly string[],
  remove: readonly string[],
): string[] {
  const removed = new Set(remove.map(foldedName));
  const byName = new Map(tags.map((tag) => [foldedName(tag), tag]));
  for (const name of removed) byName.delete(name);
  for (const tag of add) if (!byName.has(foldedName(tag))) byName.set(foldedName(tag), tag);
  return [...byName.values()].toSorted();
}
