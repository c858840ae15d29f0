/**
 * Parts that the completion scripts of the shells share: names of commands and of the function,
 * options with a value, and the walk along the words that were typed.
 */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from "./command-tree.ts";

/** Returns the name of the shell function of a program. */
export const functionName = (tree: CommandNode): string => `_${tree.name.replaceAll("-", "_")}`;

export const pathOf = ({ path }: CommandNode): string => path.join(" ");

/** Returns a word in single quotes of a POSIX shell. */
export const quotedPosix = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Returns what completes a word that is not an option: commands, else the first argument. */
export function wordsOf({ commands, arguments: args }: CommandNode): ValueKind {
  if (commands.length > 0) return commands.map(({ path }) => path.at(-1)!);
  return args.find(({ values }) => values !== "other")?.values ?? "other";
}

export type ValueOption = {
  /** Command and option, as the scripts compare them: "task create|--target". */
  readonly key: string;
  readonly option: OptionNode;
};

/** Returns the options that take a value, named by their long flag, which is the last one. */
export const optionsWithValue = (tree: CommandNode): ValueOption[] =>
  allCommands(tree).flatMap((command) =>
    command.options
      .filter(({ value }) => value !== null)
      .map((option) => ({ key: `${pathOf(command)}|${option.flags.at(-1)!}`, option })),
  );

/**
 * Returns the branches of a `case` over "COMMAND|WORD", for bash and zsh: an option skips its
 * value, and the name of a command enters it.
 */
export function walkBranches(tree: CommandNode): string[] {
  const keys = optionsWithValue(tree).map(({ key }) => quotedPosix(key));
  const steps = allCommands(tree).flatMap((command) =>
    command.commands.map((one) => {
      const key = quotedPosix(`${pathOf(command)}|${one.path.at(-1)}`);
      return `      ${key}) at=${quotedPosix(pathOf(one))} ;;`;
    }),
  );
  return [...(keys.length === 0 ? [] : [`      ${keys.join("|")}) ((i++)) ;;`]), ...steps];
}
