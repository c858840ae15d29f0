/**
 * Behaviour that all command lines have in common: usage errors end with a line that names the
 * help, and `help` shows the page of a command of any depth.
 */
import { Command } from "@commander-js/extra-typings";
import { commanderOutput } from "../standard-output.ts";
import type { ProgramFacts } from "./program-facts.ts";

/** Returns the words with which a command is called: "flockcast-source task create". */
export const fullName = (command: Command): string =>
  command.parent === null ? command.name() : `${fullName(command.parent as Command)} ${command.name()}`;

/** Sets the behaviour of a program and of all its commands; returns the program. */
export function withUsageErrors(program: Command, facts: ProgramFacts): Command {
  program.addHelpText("after", () => factsText(facts));
  program.helpCommand(false);
  program
    .command("help")
    .description("show the help of a command")
    .argument("[command...]")
    .action((words) => helpOf(program, words));
  setAll(program);
  return program;
}

function rows(list: ProgramFacts["environment"]): string {
  const width = Math.max(...list.map(([name]) => name.length));
  return list.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join("\n");
}

/** Returns the end of the program's help: exit statuses and environment. */
function factsText({ exitStatuses, environment }: ProgramFacts): string {
  return `\nExit status:\n${rows(exitStatuses)}\n\nEnvironment:\n${rows(environment)}`;
}

function setAll(command: Command): void {
  command
    .exitOverride()
    .configureOutput(commanderOutput)
    .showHelpAfterError(`try: ${fullName(command)} --help`);
  for (const one of command.commands) {
    if (one.commands.length > 0) one.helpCommand(false);
    setAll(one as Command);
  }
}

/** Prints the help of the command that the words name. */
function helpOf(program: Command, words: readonly string[]): void {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) return command.error(`error: unknown command '${word}'`);
    command = next as Command;
  }
  command.outputHelp();
}
