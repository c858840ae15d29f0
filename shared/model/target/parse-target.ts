/**
 * Parser of targets: recursive descent over the text, without a list of tokens, because a value may
 * contain what is an operator elsewhere (`has=editor@>=4.2`). Bounds on length and depth keep the
 * stack small. Pure.
 *
 *     target = "all" | NAME {"," NAME} | or
 *     or     = and {"or" and}
 *     and    = not {"and" not}
 *     not    = "not" not | "(" or ")" | "all" | test
 *     test   = WORD operator VALUE | WORD ["not"] "in" "(" VALUE {"," VALUE} ")"
 *            | ("device" | "subnet" | "group") ":" VALUE
 */
import ipaddr from "ipaddr.js";
import { parseSizeBytes } from "../quantity.ts";
import { parsePackageValue } from "./package-words.ts";
import {
  targetDepthMax,
  TargetError,
  targetLengthMax,
  type Comparison,
  type Target,
  type TargetTest,
} from "./target-expression.ts";
import { isTargetWord, targetKeywords, targetWords, type TargetWord } from "./target-words.ts";

const wordList = Object.keys(targetWords).join(", ");
const shortWords: ReadonlySet<string> = new Set(["device", "subnet", "group"]);
const valueLengthMax = 255;

/** @throws TargetError that names the column and what is expected there */
export function parseTarget(text: string): Target {
  if (text.length > targetLengthMax)
    throw new TargetError(`a target has at most ${targetLengthMax} characters`, targetLengthMax + 1);
  return namesOf(text) ?? new Parser(text.normalize("NFC")).whole();
}

/** Parses names of devices as the whole text; null for another form. */
function namesOf(text: string): Target | null {
  const names = text
    .normalize("NFC")
    .split(",")
    .map((part) => part.trim());
  if (!names.every((name) => /^[\p{L}\p{M}\p{N}_.-]{1,255}$/u.test(name))) return null;
  if (names.some((name) => targetKeywords.has(name.toLowerCase()))) return null;
  if (names.length === 1 && isTargetWord(names[0]!.toLowerCase())) return null;
  return { kind: "names", names };
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Target {
    this.#space();
    if (this.#at === this.#text.length) this.#fail("the target is empty: write all, or for example tag=b7");
    const target = this.#or(0);
    if (this.#at < this.#text.length)
      this.#fail(`expected "and", "or" or the end at column ${this.#column()}, found ${this.#found()}`);
    return target;
  }

  #or(depth: number): Target {
    return this.#chain("or", () => this.#and(depth));
  }

  #and(depth: number): Target {
    return this.#chain("and", () => this.#not(depth));
  }

  #chain(kind: "and" | "or", next: () => Target): Target {
    const parts = [next()];
    while (this.#keyword(kind)) parts.push(next());
    return parts.length === 1 ? parts[0]! : { kind, parts };
  }

  #not(depth: number): Target {
    if (depth > targetDepthMax) this.#fail(`more than ${targetDepthMax} brackets or "not" inside each other`);
    if (this.#keyword("not")) return { kind: "not", part: this.#not(depth + 1) };
    if (this.#keyword("all")) return { kind: "all" };
    if (!this.#symbol("(")) return this.#test();
    const inner = this.#or(depth + 1);
    this.#expect(")");
    return inner;
  }

  #test(): TargetTest {
    const from = this.#at;
    const written = this.#take(/[^\s(),"=<>!:]+/uy);
    if (written === "") this.#fail(`expected a word at column ${this.#column()}, found ${this.#found()}`);
    const word = written.toLowerCase();
    if (!isTargetWord(word))
      this.#fail(`unknown word at column ${this.#column(from)}: "${written}", there are: ${wordList}`, from);
    if (shortWords.has(word) && this.#text[this.#at] === ":") {
      this.#at++;
      return { kind: "test", word, operator: "=", values: [this.#value(word)] };
    }
    this.#space();
    if (this.#keyword("not")) {
      if (!this.#keyword("in")) this.#fail(`expected "in" after "not" at column ${this.#column()}`);
      return { kind: "test", word, operator: "not in", values: this.#list(word) };
    }
    if (this.#keyword("in")) return { kind: "test", word, operator: "in", values: this.#list(word) };
    return { kind: "test", word, operator: this.#operator(word), values: [this.#value(word)] };
  }

  #operator(word: TargetWord): Comparison {
    const from = this.#at;
    const operator = this.#take(/<=|>=|!=|=|<|>/uy) as Comparison | "";
    const { kind } = targetWords[word];
    const isOrdered = kind === "version" || kind === "size";
    const allowed = isOrdered ? "= != < <= > >= in" : "= != in";
    if (operator === "")
      this.#fail(
        `expected ${allowed.replaceAll(" ", ", ")} after "${word}" at column ${this.#column()}, found ${this.#found()}`,
      );
    if (!allowed.split(" ").includes(operator))
      this.#fail(
        `"${word}" does not compare with ${operator} at column ${this.#column(from)}: use one of ${allowed}`,
        from,
      );
    return operator;
  }

  #list(word: TargetWord): string[] {
    this.#expect("(");
    const values = [this.#value(word)];
    while (this.#symbol(",")) values.push(this.#value(word));
    this.#expect(")");
    return values;
  }

  #value(word: TargetWord): string {
    this.#space();
    const from = this.#at;
    const isQuoted = this.#text[this.#at] === '"';
    const value = isQuoted ? this.#quoted() : this.#take(/[^\s(),"]+/uy);
    if (value === "") this.#fail(`expected a value at column ${this.#column()}, found ${this.#found()}`);
    if (!isQuoted && /^[=<>!]/.test(value))
      this.#fail(`unexpected ${value[0]} at column ${this.#column(from)}: write one operator`, from);
    const problem = value.length > valueLengthMax ? "is too long" : valueProblem(word, value);
    if (problem !== null)
      this.#fail(`"${value.slice(0, 80)}" at column ${this.#column(from)} ${problem}`, from);
    this.#space();
    return value;
  }

  #quoted(): string {
    const from = this.#at++;
    let value = "";
    for (;;) {
      value += this.#take(/[^"\\]+/uy);
      const next = this.#text[this.#at++];
      if (next === '"') return value;
      if (next === undefined)
        this.#fail(`no closing quote for the one at column ${this.#column(from)}`, from);
      value += this.#text[this.#at++] ?? "";
    }
  }

  /** Takes a keyword that ends before white space, a bracket or the end. */
  #keyword(word: string): boolean {
    const found = /([a-z]+)(?=[\s()]|$)/iuy;
    found.lastIndex = this.#at;
    if (found.exec(this.#text)?.[1]?.toLowerCase() !== word) return false;
    this.#at += word.length;
    this.#space();
    return true;
  }

  #symbol(symbol: string): boolean {
    if (this.#text[this.#at] !== symbol) return false;
    this.#at++;
    this.#space();
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#symbol(symbol))
      this.#fail(`expected "${symbol}" at column ${this.#column()}, found ${this.#found()}`);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    return taken;
  }

  #space(): void {
    this.#take(/\s+/uy);
  }

  #column(at = this.#at): number {
    return Array.from(this.#text.slice(0, at)).length + 1;
  }

  #found(): string {
    const next = /[^\s(),"=<>!]+|\S/uy;
    next.lastIndex = this.#at;
    const found = next.exec(this.#text)?.[0];
    return found === undefined ? "the end" : `"${found.slice(0, 40)}"`;
  }

  #fail(message: string, at = this.#at): never {
    throw new TargetError(message, this.#column(at));
  }
}

/** Returns what is wrong with a value of the word; null if nothing is. */
function valueProblem(word: TargetWord, value: string): string | null {
  const row = targetWords[word];
  switch (row.kind) {
    case "text":
    case "version":
      return null;
    case "choice":
      return row.choices.some((choice) => choice === value.toLowerCase())
        ? null
        : `is not a value of "${word}", there are: ${row.choices.join(", ")}`;
    case "size":
      return sizeProblem(value);
    case "task":
      return /^[1-9]\d{0,14}$/.test(value) ? null : "is not the number of a task: task list shows them";
    case "package":
      return parsePackageValue(value) === null
        ? "is not a package: write NAME, NAME@VERSION or NAME@>=VERSION"
        : null;
    case "device":
      return /^[0-9a-f]{16}$/.test(value) ? null : "is not the id of a device: it has 16 hex digits";
    case "subnet":
      return !value.includes("/") || ipaddr.isValidCIDR(value)
        ? null
        : "is not a subnet: write for example 10.1.2.0/24";
  }
}

function sizeProblem(value: string): string | null {
  try {
    parseSizeBytes(value);
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^".*" (?=is not)/s, "");
  }
}
