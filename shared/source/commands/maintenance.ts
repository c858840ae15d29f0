/** Command line of the groups `source` (backup, restore, address) and `report`. */
import { Option, type Command } from "@commander-js/extra-typings";
import { wanGroupings } from "../../api/schema/admin.ts";
import { backUp, restoreBackup } from "./backup.ts";
import { moveSource } from "./move.ts";
import { jsonOption, sourceOption, tokenOption } from "./options.ts";
import { reportWan } from "./report.ts";

export function addSource(program: Command): void {
  const source = program.command("source").description("the source itself: backup, restore and its address");
  source
    .command("backup")
    .description("store a backup of the running source in a file; it holds secrets")
    .argument("<file>")
    .option("--with-packages", "also the bytes of packages that the source holds")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(backUp);
  source
    .command("restore")
    .description("check a backup, and make a data folder from it; runs without a source")
    .argument("<file>")
    .requiredOption("--data <dir>", "data folder, which is missing or empty")
    .option("--replace", "replace a folder with files, and keep the old one next to it")
    .option("--pause-tasks", "pause the open tasks, so that none runs before you have seen them")
    .addOption(jsonOption())
    .action(restoreBackup);
  addMove(source as Command);
}

function addMove(source: Command): void {
  source
    .command("move")
    .description("announce another address of the source to all devices; without options: show it")
    .option("--to <url>", "the new address; the present one takes the announcement back")
    .option("--cancel", "take the announcement back")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(moveSource);
}

export function addReports(program: Command): void {
  program
    .command("report")
    .description("reports of this deployment")
    .command("wan")
    .description("package bytes that crossed the WAN, and what would have crossed without flockcast")
    .option("--since <date>", "first day or time, such as 2026-01-31")
    .option("--until <date>", "last day, or time before which the report ends")
    .addOption(new Option("--by <what>", "rows").choices(wanGroupings).default("site" as const))
    .option("--csv", "as CSV, in bytes")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(reportWan);
}
