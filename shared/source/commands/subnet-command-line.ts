/** Command line of `subnet`. labels.ts adds the commands of names and sites. */
import type { Command } from "@commander-js/extra-typings";
import { importSubnets } from "./imports.ts";
import { listSubnets, splitSubnet } from "./inventory.ts";
import { csvOption, jsonOption, sourceOption, tokenOption } from "./options.ts";

/** Adds `subnet`, and returns it. */
export function addSubnets(program: Command): Command {
  const subnet = program.command("subnet").description("subnets of the devices");
  subnet
    .command("list")
    .description("all subnets that devices are on")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listSubnets);
  subnet
    .command("import")
    .description("give subnets the names and sites of a file, and make sites that are missing")
    .argument("<file>", "CSV or JSON with id, and name or site, as subnet list writes it; -: standard input")
    .option("--dry-run", "only print what would change")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(importSubnets);
  subnet
    .command("split")
    .description("end the merges into a subnet; devices that reach each other merge it again")
    .argument("<id>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(splitSubnet);
  return subnet as Command;
}
