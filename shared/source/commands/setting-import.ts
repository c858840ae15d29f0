/**
 * Command `setting import`: makes and changes settings as a file of `setting list --csv` or
 * `setting list --json` has them. An empty cell inherits; a key without a column stays.
 */
import * as v from "valibot";
import type { AdminClient } from "../../api/agent-client.ts";
import { newSettingNameSchema, type SettingView } from "../../api/schema/settings.ts";
import {
  settingDifferencesSchema,
  settingKeys,
  type SettingDifferences,
  type SettingField,
} from "../../model/setting.ts";
import { rootSetting } from "../../model/setting-inheritance.ts";
import { parseSettingWords } from "../../model/setting-words.ts";
import { connect, type JsonOptions } from "./connect.ts";
import {
  ImportFaults,
  readImport,
  reportImport,
  textIn,
  type ImportChange,
  type ImportOptions,
  type ImportRow,
} from "./import-file.ts";
import { keyText, valueText } from "./setting-text.ts";
import { warnUnsigned } from "./signing.ts";

type Wanted = {
  readonly name: string;
  /** Null: the parent stays; for a new setting it is the root. */
  readonly parent: string | null;
  readonly set: SettingDifferences;
  readonly inherit: readonly SettingField[];
};
type SettingImport = ImportChange & { readonly wanted: Wanted; readonly isNew: boolean };

export async function importSettings(file: string, options: JsonOptions & ImportOptions): Promise<void> {
  const keys = Object.keys(settingKeys);
  const rows = await readImport(file, ["name", "parent", "differences", ...keys], "name");
  const client = await connect(options);
  const present = new Map((await client.settings()).map((one) => [one.name, one]));
  const faults = new ImportFaults();
  const names = new Set(present.keys());
  const changes = rows.flatMap((row, at) => {
    try {
      const wanted = wantedOf(row, present.get(textIn(row, "name") ?? ""));
      const { name, parent } = wanted;
      if (parent !== null && !names.has(parent))
        faults.note(at, `no setting is named "${parent}": a parent comes before its children`);
      names.add(name);
      const change = changeOf(wanted, present.get(name));
      return change.changes.length === 0 ? [] : [change];
    } catch (error) {
      faults.note(at, (error as Error).message);
      return [];
    }
  });
  faults.check();
  if (!options.dryRun) for (const change of changes) await apply(client, change);
  reportImport(
    rows.length,
    changes.map(({ object, changes: words }) => ({ object, changes: words })),
    options,
  );
}

/** @throws Error for a name or a value that cannot be */
function wantedOf(row: ImportRow, present: SettingView | undefined): Wanted {
  const name = textIn(row, "name") ?? "";
  if (!v.is(newSettingNameSchema, name)) throw new Error(`"${name}" is not a valid name for a setting`);
  const parent = textIn(row, "parent") || null;
  const { differences } = row;
  if (differences !== undefined) {
    const parsed = v.safeParse(settingDifferencesSchema, differences);
    if (!parsed.success) throw new Error(`${name}: ${parsed.issues[0].message}`);
    const kept = new Set(Object.keys(parsed.output));
    const before = Object.keys(present?.differences ?? {}) as SettingField[];
    return { name, parent, set: parsed.output, inherit: before.filter((field) => !kept.has(field)) };
  }
  const words = Object.keys(settingKeys).flatMap((key) => {
    const text = textIn(row, key);
    return text === null ? [] : [`${key}=${text === "" ? "inherit" : text}`];
  });
  return { name, parent, ...parseSettingWords(words) };
}

function changeOf(wanted: Wanted, present: SettingView | undefined): SettingImport {
  const before = (present?.differences ?? {}) as Readonly<Record<string, unknown>>;
  const set = Object.fromEntries(
    Object.entries(wanted.set).filter(([field, value]) => !Bun.deepEquals(before[field], value)),
  ) as SettingDifferences;
  const inherit = wanted.inherit.filter((field) => Object.hasOwn(before, field));
  const isMoved = wanted.parent !== null && present !== undefined && wanted.parent !== present.parent;
  const changes = [
    ...(present === undefined ? [`new, inherits from ${wanted.parent ?? rootSetting}`] : []),
    ...(isMoved ? [`parent ${present.parent ?? "none"} → ${wanted.parent}`] : []),
    ...Object.entries(set).map(
      ([field, value]) => `${keyText(field)} ${valueText(field, before[field])} → ${valueText(field, value)}`,
    ),
    ...inherit.map((field) => `${keyText(field)} ${valueText(field, before[field])} → inherit`),
  ];
  const kept = { ...wanted, set, inherit, parent: isMoved || present === undefined ? wanted.parent : null };
  return { object: `setting ${wanted.name}`, changes, wanted: kept, isNew: present === undefined };
}

async function apply(client: AdminClient, { wanted, isNew }: SettingImport): Promise<void> {
  const { name, parent, set, inherit } = wanted;
  const changed = isNew
    ? await client.createSetting({ name, parent: parent ?? rootSetting, differences: set })
    : await client.editSetting(name, { set, inherit: [...inherit], ...(parent === null ? {} : { parent }) });
  if (!changed.isSigned) warnUnsigned({ kind: "setting", subject: name });
}
