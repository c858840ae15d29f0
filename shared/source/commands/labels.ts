/**
 * Commands of tags, groups, sites and names of subnets, and their command lines. The devices of a
 * command are a target: names separated by commas, or an expression.
 */
import type { Command } from "@commander-js/extra-typings";
import * as v from "valibot";
import { labelNameSchema, noneName } from "../../model/label-name.ts";
import type { AdminClient } from "../../api/agent-client.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { jsonOption, csvOption, sourceOption, tokenOption } from "./options.ts";
import { print, printedAs, printJson, printTable } from "./print.ts";
import { importGroups } from "./imports.ts";
import { parseTarget } from "./tasks.ts";

/** @throws CommandError with exit status 2 for another form */
function parseName(text: string): string {
  const parsed = v.safeParse(labelNameSchema, text);
  if (parsed.success) return parsed.output;
  throw new CommandError(`"${text}" cannot be a name: ${parsed.issues[0].message}`, 2);
}

/** Returns the command that adds tags to devices, or removes them. */
export const tagDevices =
  (what: "add" | "remove", known = false) =>
  async (devices: string, tags: readonly string[], options: JsonOptions): Promise<void> => {
    const change = { devices: parseTarget(devices), [what]: tags.map(parseName), known };
    const tagged = await (await connect(options)).changeTags(change);
    if (options.json) return printJson(tagged.devices);
    print(`${tagged.changed} of ${tagged.matched} devices changed`);
  };

const addToGroup = (name: string, devices: string, options: JsonOptions): Promise<void> =>
  tagDevices("add", true)(devices, [name], options);
const removeFromGroup = (name: string, devices: string, options: JsonOptions): Promise<void> =>
  tagDevices("remove")(devices, [name], options);

async function listGroups(options: ListOptions): Promise<void> {
  const groups = await (await connect(options)).groups();
  if (printedAs(options, groups)) return;
  printTable(
    ["NAME", "KIND", "DEVICES", "WISHES"],
    groups.map(({ name, kind, devices, wishes }) => [name, kind, String(devices), String(wishes)]),
  );
}

async function listSites(options: ListOptions): Promise<void> {
  const sites = await (await connect(options)).sites();
  if (printedAs(options, sites)) return;
  printTable(
    ["NAME", "SUBNETS", "DEVICES", "CONNECTED"],
    sites.map((one) => [one.name, String(one.subnets), String(one.devices), String(one.connected)]),
  );
}

/** Returns the command that changes one name, given as its first word. */
const withName =
  (change: (client: AdminClient, name: string) => Promise<void>) =>
  async (name: string, options: JsonOptions): Promise<void> => {
    const parsed = parseName(name);
    await change(await connect(options), parsed);
    if (options.json) printJson({ name: parsed });
  };

async function renameSite(name: string, newName: string, options: JsonOptions): Promise<void> {
  const [from, to] = [parseName(name), parseName(newName)];
  await (await connect(options)).renameSite(from, to);
  if (options.json) printJson({ name: to });
}

/** Returns the command that sets the name or the site of a subnet; `none` removes it. */
const labelSubnet =
  (what: "name" | "site") =>
  async (subnet: string, text: string, options: JsonOptions): Promise<void> => {
    const value = text.toLowerCase() === noneName ? null : parseName(text);
    const client = await connect(options);
    const subnetId = await subnetIdOf(client, subnet);
    await client.labelSubnet(subnetId, { [what]: value });
    if (options.json) printJson({ subnetId, [what]: value });
  };

/** Returns the id of a subnet that is given by its id, its name, or a CIDR that only one has. */
async function subnetIdOf(client: AdminClient, text: string): Promise<string> {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  const found = (await client.subnets()).filter(
    ({ name, cidr }) => cidr === text || name?.toLowerCase() === text.toLowerCase(),
  );
  if (found.length === 1) return found[0]!.id;
  const why = found.length === 0 ? `No subnet is "${text}"` : `${found.length} subnets are "${text}"`;
  throw new CommandError(`${why}: give the id, which subnet list shows`);
}

const devicesHelp = "host names or ids separated by commas, or an expression such as 'os=windows'";

/** Adds the commands to those of devices and subnets. */
export function addLabels(program: Command, device: Command, subnet: Command): void {
  for (const [name, what, description] of [
    ["tag", "add", "give devices tags"],
    ["untag", "remove", "take tags from devices"],
  ] as const)
    device
      .command(name)
      .description(description)
      .argument("<devices>", devicesHelp)
      .argument("<tag...>", "1 to 64 letters, digits, _ . -")
      .addOption(jsonOption())
      .addOption(sourceOption())
      .addOption(tokenOption())
      .action(tagDevices(what));
  addGroups(program);
  addSites(program);
  for (const [name, what, description] of [
    ["name", "name", "name a subnet; none: no name"],
    ["assign", "site", "assign a subnet to a site; none: to no site"],
  ] as const)
    subnet
      .command(name)
      .description(description)
      .argument("<subnet>", "id, name, or a CIDR that only one subnet has")
      .argument(`<${what}>`)
      .addOption(jsonOption())
      .addOption(sourceOption())
      .addOption(tokenOption())
      .action(labelSubnet(what));
}

function addGroups(program: Command): void {
  const group = program.command("group").description("groups: tags that may have no device");
  const create = withName((client, name) => client.createGroup(name));
  const remove = withName((client, name) => client.deleteGroup(name));
  addNamed(group as Command, ["create", "declare a group"], create);
  addNamed(group as Command, ["delete", "remove a group or tag from all devices"], remove);
  for (const [name, description, action] of [
    ["add", "add devices to a group", addToGroup],
    ["remove", "remove devices from a group", removeFromGroup],
  ] as const)
    group
      .command(name)
      .description(description)
      .argument("<name>")
      .argument("<devices>", devicesHelp)
      .addOption(jsonOption())
      .addOption(sourceOption())
      .addOption(tokenOption())
      .action(action);
  group
    .command("import")
    .description("declare the groups of a file that do not exist; removes none")
    .argument("<file>", "CSV or JSON with name, as group list writes it; -: standard input")
    .option("--dry-run", "only print what would change")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(importGroups);
  addList(group as Command, "all groups and tags, with the wishes of devices", listGroups);
}

function addSites(program: Command): void {
  const site = program.command("site").description("sites: places with one or several subnets");
  const create = withName((client, name) => client.createSite(name));
  const remove = withName((client, name) => client.deleteSite(name));
  addNamed(site as Command, ["create", "make a site"], create);
  addNamed(site as Command, ["delete", "remove a site; its subnets are without one"], remove);
  site
    .command("rename")
    .description("rename a site")
    .argument("<name>")
    .argument("<new-name>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(renameSite);
  addList(site as Command, "all sites", listSites);
}

function addNamed(
  parent: Command,
  [name, description]: readonly [string, string],
  action: (name: string, options: JsonOptions) => Promise<void>,
): void {
  parent
    .command(name)
    .description(description)
    .argument("<name>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(action);
}

function addList(
  parent: Command,
  description: string,
  action: (options: JsonOptions) => Promise<void>,
): void {
  parent
    .command("list")
    .description(description)
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(action);
}
