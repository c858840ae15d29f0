/** Every command of flockcast's programs in the documents, given to the real command lines. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CommanderError, type Command as CommandLine } from "@commander-js/extra-typings";
import { peerProgram } from "../../roles/peer.ts";
import { representativeProgram } from "../../roles/representative.ts";
import { sourceProgram } from "../../roles/source.ts";
import { agentProgram } from "../../shared/agent/program.ts";
import { documentCommands, type Command } from "./document-commands.ts";

const root = join(import.meta.dir, "../..");
const programs: Readonly<Record<string, () => CommandLine>> = {
  "flockcast-source": sourceProgram,
  "flockcast-peer": () => agentProgram(peerProgram),
  "flockcast-representative": () => agentProgram(representativeProgram),
};

/** Makes every command of a program do nothing, and print nothing. */
function silence(command: CommandLine): CommandLine {
  command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  if (command.commands.length === 0) command.action(() => undefined);
  for (const each of command.commands) silence(each as CommandLine);
  return command;
}

/** Returns why the program refuses the words; null when it takes them. */
async function problemOf({ words: [name, ...words], isWhole }: Command): Promise<string | null> {
  try {
    await silence(programs[name!]!()).parseAsync(words, { from: "user" });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) return String(error);
    const isAsked = error.exitCode === 0;
    const isPart = /^commander\.(?:missing\w+|help)|optionMissingArgument/i.test(error.code);
    return isAsked || (!isWhole && isPart) ? null : error.message;
  }
}

const pages = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: root })];
const commandsOfPages = await Promise.all(
  pages.map(async (page) => ({ page, commands: documentCommands(await Bun.file(join(root, page)).text()) })),
);

test.each(commandsOfPages.filter(({ commands }) => commands.length > 0))(
  "$page has commands that the programs take",
  async ({ page, commands }) => {
    const problems: string[] = [];
    for (const command of commands) {
      const problem = await problemOf(command);
      if (problem !== null) problems.push(`${page}:${command.line}: ${command.words.join(" ")}: ${problem}`);
    }
    expect(problems).toEqual([]);
  },
);

test("the documents have many commands", () => {
  expect(commandsOfPages.flatMap(({ commands }) => commands).length).toBeGreaterThan(60);
});

const wordsOf = (text: string) => documentCommands(text).map(({ words }) => words.join("|"));
const problemIn = (line: string) => problemOf(documentCommands(`\`\`\`\n${line}\n\`\`\``)[0]!);

describe("documentCommands", () => {
  test("finds commands in blocks: in substitutions, after other programs, over several lines", () => {
    const text = [
      "```",
      'task=$(flockcast-source task create a --target "os=linux and x" | tail -1)   # a comment',
      "sudo /usr/bin/flockcast-peer status --data \\",
      "    '/a b' >file && flockcast-source task list; echo flockcast-source-x",
      "```",
    ].join("\n");
    expect(wordsOf(text)).toEqual([
      "flockcast-source|task|create|a|--target|os=linux and x",
      "flockcast-peer|status|--data|/a b",
      "flockcast-source|task|list",
    ]);
  });

  test("finds commands in sentences, and leaves out a synopsis and output", () => {
    const text =
      "`flockcast-peer run` and `run`, `flockcast-peer service status|start`, `flockcast-source x [--y]`\n```\nflockcast-source serve [--z]\nflockcast-peer is not started\n```";
    expect(wordsOf(text)).toEqual(["flockcast-peer|run", "flockcast-peer|service|status"]);
  });

  test("a wrong option, a missing argument and an unknown command are problems", async () => {
    expect(await problemIn("flockcast-source task create x --acton run")).toContain(
      "unknown option '--acton'",
    );
    expect(await problemIn("flockcast-source device tag pc-17")).toContain("missing required argument 'tag'");
    expect(await problemIn("flockcast-source tusk list")).toContain("unknown command 'tusk'");
    expect(await problemIn("flockcast-source task create x --action install")).toContain("is invalid");
    expect(await problemIn("flockcast-source task create x --target all --dry-run")).toBeNull();
  });
});
