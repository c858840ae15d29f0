/** Commands that show settings: `setting list`, `show`, `diff` and `history`. */
import { csvText } from "../../command-line/csv.ts";
import { printCsv } from "../../standard-output.ts";
import type { SettingVersion, SettingView } from "../../api/schema/settings.ts";
import { differingFields, rootSetting } from "../../model/setting-inheritance.ts";
import { settingKeys, type SettingKey, settingFields, type SettingDifferences } from "../../model/setting.ts";
import { formatSettingValue, settingLines } from "../../model/setting-words.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { countText, keyText, originText, valueText, wordOf } from "./setting-text.ts";

/** Returns `key=value` of each difference, in the order of the table. */
const differenceWords = (differences: SettingDifferences): string =>
  settingFields
    .filter((field) => differences[field] !== undefined)
    .map((field) => wordOf({ key: keyText(field), value: formatSettingValue(field, differences[field]) }))
    .join(" ");

type Branch = { readonly setting: SettingView; readonly depth: number };

/** Returns the settings, children below their parents, with the depth of each. */
function inTree(settings: readonly SettingView[], parent: string | null = null, depth = 0): Branch[] {
  const found: Branch[] = [];
  for (const setting of settings.filter((one) => one.parent === parent))
    found.push({ setting, depth }, ...inTree(settings, setting.name, depth + 1));
  return found;
}

function cellOf({ differences }: SettingView, key: SettingKey): string {
  const { field } = settingKeys[key];
  return Object.hasOwn(differences, field) ? formatSettingValue(field, differences[field]) : "";
}

/** Returns the rows of the CSV: the values in the words of `setting set`, parents first. */
function settingRows(settings: readonly SettingView[]): string[][] {
  const keys = Object.keys(settingKeys) as SettingKey[];
  return [
    ["name", "parent", ...keys],
    ...settings.map((one) => [one.name, one.parent ?? "", ...keys.map((key) => cellOf(one, key))]),
  ];
}

export async function listSettings(options: ListOptions): Promise<void> {
  const settings = await (await connect(options)).settings();
  if (options.json) return printJson(settings);
  if (options.csv) return printCsv(csvText(settingRows(inTree(settings).map(({ setting }) => setting))));
  printTable(
    ["NAME", "VERSION", "DEVICES", "OPEN TASKS", "DIFFERENCES FROM THE PARENT"],
    inTree(settings).map(({ setting, depth }) => [
      `${"  ".repeat(depth)}${setting.name}`,
      String(setting.version),
      String(setting.devices),
      String(setting.openTasks),
      differenceWords(setting.differences) || "-",
    ]),
  );
}

export async function showSetting(name: string, options: JsonOptions): Promise<void> {
  const setting = await (await connect(options)).setting(name);
  if (options.json) return printJson(setting);
  const { version, parents, devices, openTasks } = setting;
  const line = parents.map((parent) => `${parent.name} version ${parent.version}`).join(", ");
  const head = [`# ${name}, version ${version}`, line && `inherits from ${line}`].filter(Boolean).join(", ");
  print(`${head}: ${countText(devices, "device")}, ${countText(openTasks, "open task")}`);
  printTable(
    ["KEY=VALUE", "INHERITED FROM", "WHAT IT MEANS"],
    settingLines(setting.values).map((row) => {
      const from = setting.origins[row.field] ?? null;
      return [wordOf(row), from === name ? "-" : originText(from), row.about];
    }),
  );
}

type Side = {
  readonly title: string;
  readonly values: SettingDifferences;
  /** Compared for versions only. */
  readonly parent?: string | null;
};

/** Returns the settings, or the versions of one, that `setting diff` compares. */
async function sidesOf(
  name: string,
  other: string | undefined,
  options: JsonOptions & { readonly version?: string | undefined },
): Promise<[Side, Side]> {
  const { version } = options;
  if ((other === undefined) === (version === undefined))
    throw new CommandError("Give a second setting, or --version N of the first one", 2);
  const client = await connect(options);
  if (other !== undefined) {
    const [a, b] = [await client.setting(name), await client.setting(other)];
    return [
      { title: name, values: a.values },
      { title: other, values: b.values },
    ];
  }
  const number = parseVersion(version!);
  const versions = await client.settingVersions(name);
  const old = versions.find((one) => one.version === number);
  if (old === undefined)
    throw new CommandError(`Setting "${name}" has no version ${number}: setting history ${name} shows all`);
  return [
    { title: `version ${number}`, values: old.differences, parent: old.parent },
    {
      title: `version ${versions[0]!.version}`,
      values: versions[0]!.differences,
      parent: versions[0]!.parent,
    },
  ];
}

/** @throws CommandError with exit status 2 for another form */
export function parseVersion(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CommandError(`"${text}" is not a version: setting history shows them`, 2);
}

/** Prints the keys whose values differ, between two settings or two versions of one. */
export async function diffSettings(
  name: string,
  other: string | undefined,
  options: JsonOptions & { readonly version?: string | undefined },
): Promise<void> {
  const [a, b] = await sidesOf(name, other, options);
  const fields = differingFields(a.values, b.values);
  const isMoved = a.parent !== b.parent;
  if (options.json)
    return printJson([
      ...(isMoved ? [{ field: "parent", before: a.parent, after: b.parent }] : []),
      ...fields.map((field) => ({ field, before: a.values[field], after: b.values[field] })),
    ]);
  if (fields.length === 0 && !isMoved) return print(`${a.title} and ${b.title} have the same values`);
  printTable(
    ["KEY", a.title, b.title],
    [
      ...(isMoved ? [["parent", a.parent ?? "-", b.parent ?? "-"]] : []),
      ...fields.map((field) => [
        keyText(field),
        valueText(field, a.values[field]),
        valueText(field, b.values[field]),
      ]),
    ],
  );
}

export async function showHistory(name: string, options: ListOptions): Promise<void> {
  const versions = await (await connect(options)).settingVersions(name);
  if (printedAs(options, versions)) return;
  printTable(
    ["VERSION", "CHANGED", "BY", "CHANGES"],
    versions.map((one, index) => [
      String(one.version),
      one.changedAtMs === null ? "-" : formatTime(one.changedAtMs),
      one.changedBy ?? "-",
      changesText(one, versions[index + 1]) || "-",
    ]),
  );
}

function changesText({ changes, parent }: SettingVersion, before: SettingVersion | undefined): string {
  const old = before === undefined ? rootSetting : before.parent;
  const moved = parent === null || parent === old ? [] : [`parent: ${old} → ${parent}`];
  const keys = changes.map(
    (one) =>
      `${keyText(one.field)}: ${valueText(one.field, one.before)} → ${valueText(one.field, one.after)}`,
  );
  return [...moved, ...keys].join("; ");
}
