/** Command line of `setting`: limits and switches of the agents. */
import { Command } from "@commander-js/extra-typings";
import { settingKeys } from "../../model/setting.ts";
import { csvOption, jsonOption, operatorKeyOption, sourceOption, tokenOption } from "./options.ts";
import { assignSetting, listAssignments, unassignSetting } from "./setting-assignments.ts";
import { importSettings } from "./setting-import.ts";
import { createSetting, removeSetting, renameSetting, revertSetting, setSetting } from "./setting-changes.ts";
import { diffSettings, listSettings, showHistory, showSetting } from "./settings.ts";

const keysHelp = `keys: ${Object.keys(settingKeys).join(", ")}`;

/** Adds a command with the options of all. */
const add = (setting: Command, name: string, description: string) =>
  setting
    .command(name)
    .description(description)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption());

export function addSettings(program: Command): void {
  const setting = program.command("setting").description("limits and switches of the agents") as Command;
  addViews(setting);
  addChanges(setting);
  addAssignments(setting);
}

function addViews(setting: Command): void {
  add(setting, "list", "all settings as a tree, with their differences")
    .addOption(csvOption())
    .action(listSettings);
  add(setting, "show", "a setting with the origin and the meaning of each value")
    .argument("<name>")
    .action(showSetting);
  add(setting, "diff", "keys with other values in another setting, or in an earlier version")
    .argument("<name>")
    .argument("[other]")
    .option("--version <number>", "version of the first setting to compare with its newest one")
    .action(diffSettings);
  add(setting, "history", "versions of a setting, the newest first")
    .argument("<name>")
    .addOption(csvOption())
    .action(showHistory);
}

function addChanges(setting: Command): void {
  add(setting, "create", "make a setting, which holds its differences from its parent")
    .argument("<name>")
    .argument("[key=value...]", keysHelp)
    .option("--parent <name>", "setting whose values it inherits (default: default)")
    .addOption(operatorKeyOption())
    .action(createSetting);
  add(setting, "set", "change a setting; prints what changed, and what it reaches")
    .argument("<name>")
    .argument("[key=value...]", `key=inherit: the value of the parent; ${keysHelp}`)
    .option("--parent <name>", "setting whose values it inherits")
    .option("--create", "make the setting if it does not exist")
    .addOption(operatorKeyOption())
    .action(setSetting);
  add(setting, "revert", "store an earlier version again, as the next version")
    .argument("<name>")
    .requiredOption("--version <number>", "version whose differences count again")
    .action(revertSetting);
  add(setting, "import", "make and change settings as a file has them; an empty cell inherits")
    .argument("<file>", "CSV or JSON, as setting list writes it; -: standard input")
    .option("--dry-run", "only print what would change")
    .action(importSettings);
  add(setting, "rename", "rename a setting, also in tasks and assignments")
    .argument("<name>")
    .argument("<new name>")
    .action(renameSetting);
  add(setting, "remove", "remove a setting that no open task, assignment or other setting names")
    .argument("<name>")
    .action(removeSetting);
}

function addAssignments(setting: Command): void {
  add(setting, "assign", "make a setting the own one of devices")
    .argument("<name>")
    .requiredOption("--target <target>", "all, device:ID, subnet:CIDR or group:NAME")
    .option("--rank <number>", "place in the order; the first match counts (default: the last place)")
    .addOption(operatorKeyOption())
    .action(assignSetting);
  add(setting, "unassign", "end an assignment")
    .argument("<name>")
    .option("--target <target>", "target of the assignment; may be left out if there is one")
    .addOption(operatorKeyOption())
    .action(unassignSetting);
  add(setting, "assignments", "targets and their settings, in the order of precedence")
    .addOption(csvOption())
    .action(listAssignments);
}
