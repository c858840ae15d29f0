/**
 * The commands of flockcast's programs in the documents: every line of a block of code, and every
 * code in a sentence, that calls one. A test gives them to the real command lines. A line with
 * `[`, `…` or `|` between words is a synopsis, and not a command.
 */

export type Command = {
  /** Program and words, as a shell would pass them. */
  readonly words: readonly string[];
  /** Line of the document, from 1. */
  readonly line: number;
  /** Whether it is a whole command of a block. Words of a sentence may be a part of one. */
  readonly isWhole: boolean;
};

const programs: ReadonlySet<string> = new Set([
  "flockcast-source",
  "flockcast-peer",
  "flockcast-representative",
]);

/** Ends of a command within a line of a shell. */
const separators: ReadonlySet<string> = new Set([";", "&&", "||", "|", ">", ">>", "<", "&"]);

/**
 * Splits a line of a shell into words and separators. Quotation marks are removed, and nothing is
 * replaced: `$(…)` and `$name` stay as they are.
 */
function wordsOf(line: string): string[] {
  const pattern =
    /(?<blank>\s+)|(?<comment>(?<=^|\s)#.*)|(?<mark>\|\||&&|>>|[;|<>&])|(?<word>(?:'[^']*'|"(?:[^"\\]|\\.|\$\([^)]*\))*"|\$\([^)]*\)|\\.|[^\s'"|&;<>\\])+)/gs;
  return [...line.matchAll(pattern)].flatMap(({ groups }) => {
    if (groups!["mark"] !== undefined) return [groups!["mark"]];
    const word = groups!["word"];
    return word === undefined ? [] : [word.replaceAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"/g, "$1$2")];
  });
}

/** Words of a shell before a command. */
const isPrefix = (word: string): boolean =>
  /^(?:sudo|exec|time|nohup|if|then|else|do|while|until|!)$|^\w+=/.test(word);

/** Returns the commands of a line, also those within `$(…)`. */
function commandsOf(line: string): string[][] {
  const found: string[][] = [];
  for (const [, inner] of line.matchAll(/\$\(([^()]*)\)/g)) found.push(...commandsOf(inner!));
  let current: string[] = [];
  for (const word of [...wordsOf(line), ";"]) {
    if (!separators.has(word)) {
      if (current.length > 0 || !isPrefix(word)) current.push(word);
      continue;
    }
    const name = current[0]?.split(/[/\\]/).at(-1) ?? "";
    if (programs.has(name)) found.push([name, ...current.slice(1)]);
    // The word after a redirection is a file.
    current = /^[<>]/.test(word) ? [""] : [];
  }
  return found;
}

const isSynopsis = (line: string): boolean =>
  /…|\[|\s\|\s\w+\s\|/.test(line.replaceAll(/'[^']*'|"[^"]*"/g, ""));

/** Lines of units, which have a test of their own, and output of programs. */
const isOutput = (line: string): boolean =>
  /^(?:ExecStart=|error:|Usage:|flockcast-\S+ (?:is|has) )/.test(line);

/** Returns the commands of a page. */
export function documentCommands(text: string): Command[] {
  const found: Command[] = [];
  let isBlock = false;
  let [begun, line] = ["", 0];
  for (const [index, row] of text.split("\n").entries()) {
    if (/^\s*```/.test(row)) {
      isBlock = !isBlock;
      [begun, line] = ["", 0];
      continue;
    }
    if (!isBlock) {
      for (const [, code] of row.matchAll(/`([^`]+)`/g))
        if (!isSynopsis(code!) && programs.has(code!.split(" ")[0]!))
          for (const words of commandsOf(code!)) found.push({ words, line: index + 1, isWhole: false });
      continue;
    }
    if (begun === "") line = index + 1;
    begun += row.replace(/\\$/, "").replace(/^\$ /, "");
    if (row.endsWith("\\")) continue;
    if (!isSynopsis(begun) && !isOutput(begun))
      for (const words of commandsOf(begun)) found.push({ words, line, isWhole: true });
    begun = "";
  }
  return found;
}
