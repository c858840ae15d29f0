/** Completion script for zsh, for a folder of `fpath` or for `source`. */
import { allCommands, type CommandNode, type ValueKind } from "./command-tree.ts";
import {
  functionName,
  optionsWithValue,
  pathOf,
  quotedPosix as quoted,
  walkBranches,
  wordsOf,
} from "./completion-words.ts";

/** `_describe` splits a word from its description at the first colon. */
const described = (word: string, description: string): string =>
  quoted(`${word.replaceAll(":", "\\:")}:${description}`);

function complete(values: ValueKind): string {
  if (values === "file") return "_files";
  if (values === "folder") return "_files -/";
  if (values === "other") return "_message 'a value'";
  return `compadd -- ${values.map(quoted).join(" ")}`;
}

/** Returns the lines of the script. */
export function zshCompletion(tree: CommandNode): string[] {
  const commands = allCommands(tree);
  const name = functionName(tree);
  const withValue = optionsWithValue(tree);
  return [
    `#compdef ${tree.name}`,
    `# Completion of ${tree.name} for zsh: ${tree.name} completion zsh`,
    `${name}() {`,
    "  local at= i",
    "  local -a candidates",
    "  for ((i = 2; i < CURRENT; i++)); do",
    `    case "$at|\${words[i]}" in`,
    ...walkBranches(tree),
    "    esac",
    "  done",
    `  case "$at|\${words[CURRENT-1]}" in`,
    ...withValue.map(({ key, option }) => `    ${quoted(key)}) ${complete(option.values)}; return ;;`),
    "  esac",
    `  case "$at" in`,
    ...commands.flatMap(branch),
    "  esac",
    "}",
    `if [ "$funcstack[1]" = ${quoted(name)} ]; then ${name} "$@"; else compdef ${name} ${tree.name}; fi`,
  ];
}

function branch(command: CommandNode): string[] {
  const options = command.options.flatMap((one) => one.flags.map((flag) => described(flag, one.description)));
  const names = command.commands.map((one) => described(one.path.at(-1)!, one.description));
  return [
    `    ${quoted(pathOf(command))})`,
    "      if [[ $PREFIX == -* ]]; then",
    `        candidates=(${options.join(" ")})`,
    "        _describe -o 'option' candidates",
    ...(names.length === 0
      ? [`      else ${complete(wordsOf(command))}; fi ;;`]
      : [
          "      else",
          `        candidates=(${names.join(" ")})`,
          "        _describe 'command' candidates",
          "      fi ;;",
        ]),
  ];
}
