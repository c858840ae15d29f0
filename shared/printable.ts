/**
 * Text from outside on a terminal and in a log: names of devices, reasons that they report, answers
 * of web sites. Hidden characters would move the cursor, forge lines, turn the direction of text or
 * change the terminal's settings.
 */
import { replaceHidden } from "./hidden-characters.ts";

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code > 0xffff ? `\\u{${hex(code, 5)}}` : `\\u${hex(code, 4)}`;
}

/** Returns one line with every hidden character, line breaks included, as a visible escape. */
export const printable = (text: string): string => replaceHidden(text, escaped);

const jsonEscaped = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join("");

/**
 * Returns the JSON text with the same value, and with hidden characters as escapes of JSON. Line
 * breaks stay: in JSON they are between values.
 */
export const printableJson = (json: string): string =>
  replaceHidden(json, (character) => (character === "\n" ? character : jsonEscaped(character)));

/** Returns a copy of a JSON value with every text, also of a key, as one printable line. */
export function printableValue(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(printableValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      printable(key),
      key === "stack" && typeof one === "string" ? printableLines(one) : printableValue(one),
    ]),
  );
}

/** Returns text of several lines, such as a help page or a stack, with only its line breaks raw. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");
