/**
 * Manual page of a program, in the macros of man(7). `bun run generate man` writes the pages to
 * docs/man.
 */
import { allCommands, type CommandNode, type OptionNode } from "./command-tree.ts";
import type { ProgramFacts } from "./program-facts.ts";

/** Returns text that roff shows as it is. */
function escaped(text: string): string {
  const plain = text
    .replaceAll("\\", String.raw`\e`)
    .replaceAll("-", String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll("…", "...");
  return plain.startsWith(".") ? String.raw`\&${plain}` : plain;
}

const bold = (text: string): string => String.raw`\fB${escaped(text)}\fR`;
const italic = (text: string): string => String.raw`\fI${escaped(text)}\fR`;
const quoted = (text: string): string => `"${escaped(text).replaceAll('"', String.raw`\(dq`)}"`;

const row = (head: string, text: string): string[] => [
  ".TP",
  head,
  escaped(text === "" ? "no further text" : text),
];

function optionRow({ flags, value, values, description, isRequired }: OptionNode): string[] {
  const names = flags.map(bold).join(", ");
  const choices = typeof values === "string" || values.length === 0 ? "" : ` (${values.join(", ")})`;
  const text = `${description}${choices}${isRequired ? "; required" : ""}`;
  return row(value === null ? names : `${names} ${italic(value)}`, text.trim().replace(/^; /, ""));
}

function commandSection(command: CommandNode): string[] {
  const { name, usage, description, arguments: args, options } = command;
  return [
    `.SS ${quoted(name)}`,
    `.B ${escaped(usage)}`,
    ".PP",
    escaped(`${description}.`),
    ...args.filter((one) => one.description !== "").flatMap((one) => row(italic(one.term), one.description)),
    ...options.flatMap(optionRow),
  ];
}

/** Returns the text of the page. Commands that only hold others have no section. */
export function manualPage(tree: CommandNode, facts: ProgramFacts, version: string): string {
  const others = ["flockcast-source", "flockcast-peer", "flockcast-representative"].filter(
    (name) => name !== tree.name,
  );
  const lines = [
    `.\\" Written by "bun run generate man" from the command line of the program.`,
    `.TH ${tree.name.toUpperCase()} 1 2026-11-30 ${quoted(`flockcast ${version}`)}`,
    ".SH NAME",
    `${escaped(tree.name)} \\- ${escaped(tree.description.replace(/\.$/, ""))}`,
    ".SH SYNOPSIS",
    `${bold(tree.name)} ${italic("command")} [${italic("options")}]`,
    ".SH DESCRIPTION",
    "Data is written to standard output, the log and errors to standard error.",
    "Commands that print data print it as JSON with",
    `${bold("--json")}.`,
    ".SH OPTIONS",
    ...tree.options.flatMap(optionRow),
    ".SH COMMANDS",
    ...allCommands(tree)
      .filter(({ commands }) => commands.length === 0)
      .flatMap(commandSection),
    ".SH EXIT STATUS",
    ...facts.exitStatuses.flatMap(([status, text]) => row(bold(status), text)),
    ".SH ENVIRONMENT",
    ...facts.environment.flatMap(([name, text]) => row(bold(name), text)),
    ".SH SEE ALSO",
    others.map((name) => `.BR ${escaped(name)} (1)`).join(" ,\n"),
  ];
  return `${lines.join("\n")}\n`;
}
