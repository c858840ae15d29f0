/** Completion script for bash, from version 3.2 on. */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from "./command-tree.ts";

/** Returns the name of the shell function of a program. */
export const functionName = (tree: CommandNode): string => `_${tree.name.replaceAll("-", "_")}`;

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const pathOf = ({ path }: CommandNode): string => path.join(" ");
const longOf = ({ flags }: OptionNode): string => flags.at(-1)!;

/** Returns the statement that completes a value. */
function complete(values: ValueKind): string {
  if (values === "file") return `COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null`;
  if (values === "folder") return `COMPREPLY=($(compgen -d -- "$cur")); compopt -o filenames 2>/dev/null`;
  if (values === "other") return "COMPREPLY=()";
  return `COMPREPLY=($(compgen -W $'${values.join(String.raw`\n`)}' -- "$cur"))`;
}

/** Returns the lines of the script. */
export function bashCompletion(tree: CommandNode): string[] {
  const commands = allCommands(tree);
  const name = functionName(tree);
  const withValue = commands.flatMap((command) =>
    command.options
      .filter(({ value }) => value !== null)
      .map((option) => ({ key: `${pathOf(command)}|${longOf(option)}`, option })),
  );
  return [
    `# Completion of ${tree.name} for bash: ${tree.name} completion bash`,
    `${name}() {`,
    `  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= word i`,
    `  local IFS=$'\\n'`,
    "  COMPREPLY=()",
    "  for ((i = 1; i < COMP_CWORD; i++)); do",
    "    word=${COMP_WORDS[i]}",
    `    case "$at|$word" in`,
    ...(withValue.length === 0
      ? []
      : [`      ${withValue.map(({ key }) => quoted(key)).join("|")}) ((i++)) ;;`]),
    ...commands.flatMap((command) =>
      command.commands.map(
        (one) => `      ${quoted(`${pathOf(command)}|${one.path.at(-1)}`)}) at=${quoted(pathOf(one))} ;;`,
      ),
    ),
    "    esac",
    "  done",
    `  case "$at|$prev" in`,
    ...withValue.map(({ key, option }) => `    ${quoted(key)}) ${complete(option.values)}; return ;;`),
    "  esac",
    `  case "$at" in`,
    ...commands.flatMap((command) => {
      const flags = command.options.flatMap((one) => one.flags);
      return [
        `    ${quoted(pathOf(command))})`,
        `      if [[ $cur == -* ]]; then ${complete(flags)}`,
        `      else ${complete(wordsOf(command))}; fi ;;`,
      ];
    }),
    "  esac",
    "}",
    `complete -F ${name} ${tree.name}`,
  ];
}

/** Returns what completes a word that is not an option: commands, else the first argument. */
export function wordsOf({ commands, arguments: args }: CommandNode): ValueKind {
  if (commands.length > 0) return commands.map(({ path }) => path.at(-1)!);
  return args.find(({ values }) => values !== "other")?.values ?? "other";
}
