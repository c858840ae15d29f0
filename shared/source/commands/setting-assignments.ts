/** Commands `setting assign`, `setting unassign` and `setting assignments`. */
import { settingsMax, type SettingAssigned } from "../../api/schema/settings.ts";
import { rootSetting, withAssignment, type SettingAssignment } from "../../model/setting-inheritance.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { print, printedAs, printJson, printTable } from "./print.ts";
import { countText } from "./setting-text.ts";
import { warn } from "./task-preview.ts";
import type { Wanted } from "./order-review.ts";
import { connectToSign, signIfNeeded, type SignOptions } from "./signing.ts";
import { parseTarget } from "./tasks.ts";
import { printNote } from "../../standard-output.ts";

type AssignOptions = JsonOptions &
  SignOptions & {
    readonly target: string;
    readonly rank?: string | undefined;
  };

function parseRank(text: string | undefined): number | null {
  if (text === undefined) return null;
  const rank = Number(text);
  if (/^\d{1,4}$/.test(text) && rank >= 1 && rank <= settingsMax) return rank;
  throw new CommandError(`"${text}" is not a rank: write 1 for the first place, up to ${settingsMax}`, 2);
}

export async function assignSetting(setting: string, options: AssignOptions): Promise<void> {
  const rank = parseRank(options.rank);
  const target = parseTarget(options.target);
  const client = await connectToSign(options);
  const assigned = await client.assignSetting({ setting, target, rank });
  await signAssignments(client, assigned, options, (before) =>
    withAssignment(before, { setting, target }, rank),
  );
  if (options.json) return printJson(assigned);
  const own = assigned.assignments.find((one) => one.target === target)!;
  print(`${setting} is assigned to ${target}, rank ${own.rank}: ${countText(own.devices, "device")}`);
  printChanged(assigned);
  warn(assigned.warnings);
  if (own.matched === 0) printNote(`warning: no device matches ${target} yet`);
  else if (own.devices < own.matched)
    printNote(
      `warning: assignments of a lower rank count for ${own.matched - own.devices} of ${countText(own.matched, "device")}`,
    );
}

/** Signs the assignments of the order before, changed as the person asked for. */
async function signAssignments(
  client: AdminClient,
  { isSigned }: SettingAssigned,
  options: SignOptions,
  change: (before: readonly SettingAssignment[]) => SettingAssignment[],
): Promise<void> {
  if (isSigned) return;
  const wantedOf = ({ assignments = [] }: Wanted): Wanted => ({ assignments: change(assignments) });
  await signIfNeeded(client, { kind: "assignments", subject: "" }, options, { kind: "changed", wantedOf });
}

const printChanged = ({ changed }: SettingAssigned): void =>
  print(`${countText(changed, "device")} with another setting than before`);

export async function unassignSetting(
  setting: string,
  options: JsonOptions & SignOptions & { readonly target?: string | undefined },
): Promise<void> {
  const client = await connectToSign(options);
  const target = options.target ?? (await onlyTargetOf(setting, client.settingAssignments()));
  const assigned = await client.unassignSetting(setting, target);
  await signAssignments(client, assigned, options, (before) =>
    before.filter((one) => one.setting !== setting || one.target !== target),
  );
  if (options.json) return printJson(assigned);
  print(`${setting} is no longer assigned to ${target}`);
  printChanged(assigned);
}

async function onlyTargetOf(
  setting: string,
  list: Promise<Pick<SettingAssigned, "assignments">>,
): Promise<string> {
  const targets = (await list).assignments.filter((one) => one.setting === setting);
  if (targets.length === 1) return targets[0]!.target;
  if (targets.length === 0)
    throw new CommandError(`Setting "${setting}" is not assigned: setting assignments shows all`);
  throw new CommandError(
    `Setting "${setting}" has ${targets.length} assignments: give --target with one of ${targets.map(({ target }) => target).join(", ")}`,
    2,
  );
}

export async function listAssignments(options: ListOptions): Promise<void> {
  const { assignments, others } = await (await connect(options)).settingAssignments();
  if (options.json) return printJson({ assignments, others });
  if (printedAs(options, assignments)) return;
  printTable(
    ["RANK", "SETTING", "TARGET", "DEVICES", "MATCHED"],
    [
      ...assignments.map((one) => [
        String(one.rank),
        one.setting,
        one.target,
        String(one.devices),
        String(one.matched),
      ]),
      ["-", rootSetting, "all others", String(others), "-"],
    ],
  );
}
