/**
 * Requests of a person in the console as the checks before a signature need them: which fields the
 * person gave, and which ones the source chooses.
 */
import type { SettingAssignment } from "../../../../model/setting-inheritance.ts";
import type { Asked, Wanted } from "../../../../model/trust/order-review.ts";
import type { TaskCreate, TaskEdit } from "../../../../api/schema/admin.ts";
import type { SettingDifferences } from "../../../../model/setting.ts";

const changed = (wanted: Wanted): Asked => ({ kind: "changed", wantedOf: () => wanted });

/** A new task. Undefined: the source chooses the time. */
export function newTaskAsked(request: TaskCreate): Asked {
  // Waking is not a part of the order.
  const { package: words, startAtMs, expiresAtMs, wakes: _, ...given } = request;
  const wanted = {
    command: null,
    run: null,
    deadlineAtMs: null,
    notWhile: [],
    allowDowngrade: false,
    after: null,
    image: null,
    startIsLocal: false,
    ...given,
    startAtMs: startAtMs ?? undefined,
    expiresAtMs: expiresAtMs ?? undefined,
  } as Wanted;
  return { kind: "new", wanted, package: words };
}

/** Changed fields of a task; the others stay as operators signed them. */
export function taskEditAsked(edit: TaskEdit): Asked {
  const { wakes: _, ...wanted } = edit;
  return changed(wanted);
}

export const startNowAsked = changed({ startAtMs: undefined, startIsLocal: false });
/** One more attempt, and nothing else. */
export const retryAsked = changed({});

export const newSettingAsked = (parent: string): Asked => ({
  kind: "new",
  wanted: { parent, differences: {} },
});

export type SettingEdit = {
  readonly set: Readonly<Record<string, unknown>>;
  readonly inherit: readonly string[];
  readonly parent?: string;
};

/** Changed values of a setting; the others stay as operators signed them. */
export const settingAsked = ({ set, inherit, parent }: SettingEdit): Asked => ({
  kind: "changed",
  wantedOf: ({ differences = {} }) => {
    const isChanged = (field: string): boolean => Object.hasOwn(set, field) || inherit.includes(field);
    const kept = Object.entries(differences).filter(([field]) => !isChanged(field));
    const values = { ...Object.fromEntries(kept), ...set } as SettingDifferences;
    return { ...(parent === undefined ? {} : { parent }), differences: values };
  },
});

export const assignmentsAsked = (
  change: (before: readonly SettingAssignment[]) => SettingAssignment[],
): Asked => ({
  kind: "changed",
  wantedOf: ({ assignments = [] }) => ({ assignments: change(assignments) }),
});
