/**
 * Counts of the devices that assignments of settings match, and whose own setting they decide. A
 * request counts a small fleet itself; of a large one the last count is kept, and renewed in the
 * background after it was read.
 */
import type { SettingAssignment } from "../model/setting-inheritance.ts";
import type { Catalog } from "./catalog/index.ts";
import { scanOf } from "./matching-devices.ts";

type CountContext = {
  readonly catalog: Catalog;
  readonly acceptsWishes: boolean;
  readonly nowMs: () => number;
};
export type SettingCount = {
  /** By the index of the assignment: devices that its target matches, and that it decides for. */
  readonly matched: readonly number[];
  readonly own: readonly number[];
  /** Devices without an assignment. */
  readonly others: number;
  /** Null: the devices are not yet counted. */
  readonly countedAtMs: number | null;
};
type Kept = { readonly key: string; readonly count: SettingCount; readonly renewAtMs: number };

/** Evaluations of one request: devices times assignments. */
const evaluationsMax = 20_000;
/** Rest between two batches, so that a count takes less than half of the time. */
const restMs = 10;
/** A count is kept for this multiple of the time that it takes. */
const keptFactor = 20;
const keptMinMs = 10_000;

const keptCounts = new WeakMap<Catalog, Kept>();
const running = new WeakSet<Catalog>();

/** Returns the counts of these assignments, which are those of the catalog. */
export async function settingCounts(
  context: CountContext,
  assignments: readonly SettingAssignment[],
): Promise<SettingCount> {
  const { catalog } = context;
  const isSmall = (await catalog.devices.count()) * (assignments.length + 1) <= evaluationsMax;
  if (isSmall) return countNow(context, assignments, 0);
  const key = JSON.stringify(assignments);
  const kept = keptCounts.get(catalog);
  const isCurrent = kept?.key === key;
  if ((!isCurrent || kept.renewAtMs < performance.now()) && !running.has(catalog))
    void renew(context, assignments, key);
  if (isCurrent) return kept.count;
  const zeros = assignments.map(() => 0);
  return { matched: zeros, own: zeros, others: 0, countedAtMs: null };
}

async function renew(
  context: CountContext,
  assignments: readonly SettingAssignment[],
  key: string,
): Promise<void> {
  const { catalog } = context;
  running.add(catalog);
  const beganMs = performance.now();
  try {
    const count = await countNow(context, assignments, restMs);
    const endedMs = performance.now();
    const renewAtMs = endedMs + Math.max(keptMinMs, (endedMs - beganMs) * keptFactor);
    keptCounts.set(catalog, { key, count, renewAtMs });
  } catch {
    // The source stops, or the disk fails: the next request counts again.
  } finally {
    running.delete(catalog);
  }
}

async function countNow(
  context: CountContext,
  assignments: readonly SettingAssignment[],
  rest: number,
): Promise<SettingCount> {
  const [matched, own] = [assignments.map(() => 0), assignments.map(() => 0)];
  let others = 0;
  for await (const { devices, targeting } of scanOf(
    context,
    assignments.map(({ target }) => target),
  )) {
    for (const device of devices) {
      const isMatched = assignments.map(({ target }) => targeting.matches(target, device));
      for (const [index, isOne] of isMatched.entries()) if (isOne) matched[index]!++;
      const place = isMatched.indexOf(true);
      if (place < 0) others++;
      else own[place]!++;
    }
    await Bun.sleep(rest);
  }
  return { matched, own, others, countedAtMs: context.nowMs() };
}
