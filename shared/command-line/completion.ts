/**
 * The command `completion`: prints a script with which a shell completes the program's commands,
 * options and values. The script is made of the command line itself, and starts no program.
 */
import { Argument, type Command } from "@commander-js/extra-typings";
import { printLines } from "../standard-output.ts";
import { bashCompletion } from "./bash.ts";
import { treeOf, type CommandNode } from "./command-tree.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const shells = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
} as const satisfies Record<string, (tree: CommandNode) => string[]>;
export const shellNames = Object.keys(shells) as (keyof typeof shells)[];

/** Returns the lines of the script for a shell. */
export const completionOf = (program: Command, shell: keyof typeof shells): string[] =>
  shells[shell](treeOf(program));

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes this program's words in a shell")
    .addArgument(new Argument("<shell>").choices(shellNames))
    .action((shell) => printLines(completionOf(program, shell)));
}
