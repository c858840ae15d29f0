/** Completion script for fish. */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from "./command-tree.ts";
import { functionName, optionsWithValue, pathOf, wordsOf } from "./completion-words.ts";

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** Returns the options of `complete` for a value: `-r` asks for one, `-f` forbids files. */
function valueWords(values: ValueKind): string {
  if (values === "file") return "-r -F";
  if (values === "folder") return `-x -a '(__fish_complete_directories)'`;
  return values === "other" ? "-x" : `-x -a ${quoted(values.join(" "))}`;
}

function optionLine(
  tree: CommandNode,
  condition: string,
  { flags, value, values, description }: OptionNode,
): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const words = value === null ? [] : [valueWords(values)];
  return [`complete -c ${tree.name} -n ${condition}`, ...names, ...words, `-d ${quoted(description)}`].join(
    " ",
  );
}

/** Returns the lines of the script. */
export function fishCompletion(tree: CommandNode): string[] {
  const commands = allCommands(tree);
  const at = `_${functionName(tree)}_at`;
  const withValue = optionsWithValue(tree).map(({ key }) => quoted(key));
  const steps = commands.flatMap((command) =>
    command.commands.flatMap((one) => [
      `            case ${quoted(`${pathOf(command)}|${one.path.at(-1)!}`)}`,
      `                set at ${quoted(pathOf(one))}`,
    ]),
  );
  return [
    `# Completion of ${tree.name} for fish: ${tree.name} completion fish`,
    `function ${at} -d ${quoted("Whether the words so far are those of a command")}`,
    "    set -l at ''",
    "    set -l skips 0",
    "    for word in (commandline -opc)[2..-1]",
    "        if test $skips = 1",
    "            set skips 0",
    "            continue",
    "        end",
    `        switch "$at|$word"`,
    ...(withValue.length === 0
      ? []
      : [`            case ${withValue.join(" ")}`, "                set skips 1"]),
    ...steps,
    "        end",
    "    end",
    `    test "$at" = "$argv"`,
    "end",
    `complete -c ${tree.name} -f`,
    ...commands.flatMap((command) => linesOf(tree, command, quoted(`${at} ${pathOf(command)}`.trim()))),
  ];
}

function linesOf(tree: CommandNode, command: CommandNode, condition: string): string[] {
  const begin = `complete -c ${tree.name} -n ${condition}`;
  const names = command.commands.map(
    (one) => `${begin} -a ${one.path.at(-1)!} -d ${quoted(one.description)}`,
  );
  const values = names.length > 0 ? "other" : wordsOf(command);
  const files = values === "file" || values === "folder" ? [`${begin} -F`] : [];
  const words = Array.isArray(values) && values.length > 0 ? [`${begin} -a ${quoted(values.join(" "))}`] : [];
  return [...names, ...files, ...words, ...command.options.map((one) => optionLine(tree, condition, one))];
}
