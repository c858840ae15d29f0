/** Command line of `trust`: the keys that may sign for the deployment. */
import { Command, Option } from "@commander-js/extra-typings";
import { jsonOption, operatorKeyOption, rootKeyOption, sourceOption, tokenOption } from "./options.ts";
import { addTrustKey, exportTrust, initTrust, makeKey, revokeTrustKey, signTrust } from "./trust.ts";
import { recoverKeys } from "./trust-recover.ts";
import { showTrust } from "./trust-show.ts";

const draftOption = () =>
  new Option("--draft <file>", "write the version here if other roots have to sign it");
const thresholdOption = () => new Option("--threshold <n>", "roots that have to sign from now on");

const orderThresholdOption = () =>
  new Option("--order-threshold <n>", "operators that have to sign an order from now on");

const add = (trust: Command, name: string, description: string) =>
  trust
    .command(name)
    .description(description)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption());

/** Commands about key files, which need no source. */
function addKeyFiles(trust: Command): void {
  trust
    .command("new-key")
    .description("make a key in a file, and print its public key")
    .requiredOption("--out <file>", "file for the private key; it must not exist")
    .option("--json", "as JSON")
    .action(makeKey);
  trust
    .command("recover")
    .description("write the keys of a browser's recovery file to key files")
    .argument("<file>", "recovery file that the console made")
    .requiredOption("--out <folder>", "folder for the key files")
    .option("--password-file <file>", "file with the password, - for standard input (default: it is typed)")
    .option("--json", "as JSON")
    .action(recoverKeys);
}

export function addTrust(program: Command): void {
  const trust = program.command("trust").description("keys that devices obey, and signatures") as Command;
  add(trust, "show", "the keys, where they are, and how fresh the source is").action(showTrust);
  add(trust, "init", "make keys on this machine, and take signing away from the source")
    .requiredOption("--out <folder>", "folder for the new key files")
    .option("--roots <n>", "root keys (default: 1)")
    .addOption(thresholdOption())
    .action(initTrust);
  add(trust, "export", "move the source's keys to a folder; the source can then no longer sign")
    .requiredOption("--data <dir>", "data folder of the source, which runs")
    .requiredOption("--out <folder>", "folder for the key files")
    .action(exportTrust);
  addKeyFiles(trust);
  add(trust, "add-key", "list a further key")
    .argument("<key>", "public key: 64 hex digits, or a PEM file")
    .addOption(
      new Option("--role <role>", "what the key may sign")
        .choices(["root", "publisher", "operator"] as const)
        .makeOptionMandatory(),
    )
    .option("--packages <names>", "publisher: names of packages with * and ?, with commas (default: all)")
    .option("--actions <actions>", "operator: pre-cache, run, upgrade, settings (default: all)")
    .option(
      "--target <target>",
      "operator: devices for which the key counts; then not for settings (default: all)",
    )
    .option("--expires <time>", "operator: end of the key, ISO 8601 or +90d (default: none)")
    .addOption(thresholdOption())
    .addOption(orderThresholdOption())
    .addOption(rootKeyOption())
    .addOption(draftOption())
    .action(addTrustKey);
  add(trust, "revoke-key", "end a key; devices follow when they check in")
    .argument("<key>", "name or public key, as trust show prints it")
    .addOption(thresholdOption())
    .addOption(orderThresholdOption())
    .addOption(rootKeyOption())
    .addOption(draftOption())
    .action(revokeTrustKey);
  add(trust, "sign", "sign a draft with a root key, or orders and freshness with an operator key")
    .argument("[draft]", "draft that trust add-key or revoke-key wrote")
    .option("--all", "every order that waits for a signature")
    .option("--confirm <code>", "sign the orders that were read, whose code was printed, without a question")
    .option("--fresh", "only the word that nothing is kept back; for a timer")
    .option("--valid <duration>", "how long the word counts (default: 14d)")
    .addOption(rootKeyOption())
    .addOption(draftOption())
    .addOption(operatorKeyOption())
    .action(signTrust);
}
