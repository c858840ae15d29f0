/**
 * A command line as data: commands with their options and arguments, read from Commander's objects.
 * Completions and manual pages are made of it.
 */
import type { Argument, Command, Option } from "@commander-js/extra-typings";
import { fullName } from "./usage-errors.ts";

/** Completion of a value: files, folders, one of some words, or nothing. */
export type ValueKind = "file" | "folder" | "other" | readonly string[];

export type OptionNode = {
  /** Such as "-h" and "--help". */
  readonly flags: readonly string[];
  /** Placeholder of the value, such as "<url>"; null for a switch. */
  readonly value: string | null;
  readonly values: ValueKind;
  readonly description: string;
  readonly isRequired: boolean;
};

export type ArgumentNode = {
  /** As the help writes it: "<package>", "[key=value...]". */
  readonly term: string;
  readonly values: ValueKind;
  readonly description: string;
};

export type CommandNode = {
  /** Words from the program's name on: "flockcast-source task create". */
  readonly name: string;
  /** Words after the program's name; empty for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
};

/** Returns the kind of a value by its placeholder and choices. */
function kindOf(placeholder: string, choices: readonly string[] | undefined): ValueKind {
  if (choices !== undefined) return choices;
  if (/\b(dir|folder)\b/.test(placeholder)) return "folder";
  return /\b(file|path|draft)\b/.test(placeholder) ? "file" : "other";
}

function optionOf(option: Option): OptionNode {
  const value = /[<[][^\]>]*[\]>]/.exec(option.flags)?.[0] ?? null;
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
    value,
    values: value === null ? [] : kindOf(value, option.argChoices),
    description: option.description,
    isRequired: option.mandatory,
  };
}

function argumentOf(argument: Argument): ArgumentNode {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return {
    term: argument.required ? `<${name}>` : `[${name}]`,
    values: kindOf(argument.name(), argument.argChoices),
    description: argument.description,
  };
}

/** Returns the tree of a command and its commands, in the order of the help. */
export function treeOf(command: Command): CommandNode {
  const help = command.createHelp();
  const path = fullName(command).split(" ").slice(1);
  const args: readonly Argument[] = command.registeredArguments as unknown as Argument[];
  return {
    name: fullName(command),
    path,
    description: command.description(),
    usage: [fullName(command), command.usage()].join(" ").trim(),
    options: help.visibleOptions(command).map((one) => optionOf(one as Option)),
    arguments: args.map(argumentOf),
    commands: help.visibleCommands(command).map((one) => treeOf(one as Command)),
  };
}

/** Returns a command and all commands below it. */
export const allCommands = (tree: CommandNode): CommandNode[] => [
  tree,
  ...tree.commands.flatMap(allCommands),
];
