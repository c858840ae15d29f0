/** Completion script for bash, from version 3.2 on. */
import { allCommands, type CommandNode, type ValueKind } from "./command-tree.ts";
import {
  functionName,
  optionsWithValue,
  pathOf,
  quotedPosix as quoted,
  walkBranches,
  wordsOf,
} from "./completion-words.ts";

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
  const withValue = optionsWithValue(tree);
  return [
    `# Completion of ${tree.name} for bash: ${tree.name} completion bash`,
    `${name}() {`,
    `  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= word i`,
    `  local IFS=$'\\n'`,
    "  COMPREPLY=()",
    "  for ((i = 1; i < COMP_CWORD; i++)); do",
    "    word=${COMP_WORDS[i]}",
    `    case "$at|$word" in`,
    ...walkBranches(tree),
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
