/**
 * Secrets that a command needs: typed without echo, or read from a file or from standard input. A
 * secret is never an argument, which every user of the machine can read.
 */
import { open } from "node:fs/promises";
import { printNote, showQuestion } from "../../standard-output.ts";
import { CommandError } from "./command-error.ts";

/** Upper bound on a file with a secret, and on a typed one. */
const bytesMax = 4_096;

type Secret = {
  /** Name of the secret: "password". */
  readonly what: string;
  /** Option that names the file: "--password-file". */
  readonly flag: string;
  /** Value of the option; `-` is standard input. */
  readonly file: string | undefined;
  /** Whether the secret exists already: then one is typed once. */
  readonly isKnown?: true;
};

/**
 * Returns the secret of a file, or one that is typed on the terminal: a new one twice.
 * @throws CommandError when it cannot be read, is empty, or was typed in two ways
 */
export async function readSecret({ what, flag, file, isKnown }: Secret): Promise<string> {
  if (file !== undefined) {
    const text = await fileText(file, what);
    const secret = text.replace(/\r?\n$/, "");
    if (secret === "") throw new CommandError(`${flag} ${file}: the ${what} is empty`, 1);
    return secret;
  }
  if (!process.stdin.isTTY)
    throw new CommandError(
      `Nobody can type the ${what} here: give ${flag} FILE, or ${flag} - for standard input`,
      2,
    );
  if (isKnown) return (await typed([`The ${what}: `]))[0] ?? "";
  const [secret = "", again] = await typed([`New ${what}: `, `The ${what} again: `]);
  if (secret !== again) throw new CommandError(`The ${what} was typed in two ways: try again`, 1);
  return secret;
}

async function fileText(file: string, what: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array): void => {
    length += part.length;
    if (length > bytesMax)
      throw new CommandError(`"${file}" has more than ${bytesMax} bytes: is it the ${what}?`, 1);
    parts.push(part);
  };
  try {
    if (file === "-") for await (const part of Bun.stdin.stream()) add(part);
    else {
      await using handle = await open(file);
      for await (const part of handle.createReadStream({ autoClose: false })) add(part as Uint8Array);
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`Cannot read the ${what} in "${file}": ${(error as Error).message}`, 1, {
      cause: error,
    });
  }
  return new TextDecoder().decode(Buffer.concat(parts));
}

const [interrupt, endOfInput] = ["\u0003", "\u0004"];
const isErasing = (character: string): boolean => character === "\u007F" || character === "\b";

/** Asks questions on the terminal, and returns the lines that are typed without an echo. */
async function typed(questions: readonly string[]): Promise<string[]> {
  const { stdin } = process;
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const lines: string[] = [];
  let line = "";
  const type = (character: string): void => {
    if (lines.length === questions.length) return;
    if (character === "\r" || character === "\n") {
      lines.push(line);
      line = "";
      printNote("");
      showQuestion(questions[lines.length] ?? "");
    } else if (character === interrupt || character === endOfInput)
      reject(new CommandError("Stopped: nothing was changed", 1));
    else if (isErasing(character)) line = [...line].slice(0, -1).join("");
    else if (line.length < bytesMax) line += character;
    if (lines.length === questions.length) resolve(lines);
  };
  // The echo ends before the question is shown: a fast typist would be seen otherwise.
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.on("data", (chunk: string) => [...chunk].forEach(type));
  stdin.on("end", () => reject(new CommandError("Stopped: nothing was changed", 1)));
  showQuestion(questions[0] ?? "");
  try {
    return await promise;
  } finally {
    stdin.setRawMode(false);
    stdin.destroy();
  }
}
