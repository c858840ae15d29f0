/**
 * Characters that nobody sees, or that change how other text is shown: controls (C0, DEL, C1),
 * formats (also the directions of text), separators of lines and paragraphs, and ignorable letters.
 *
 * Names from outside have none of them, and output shows them as escapes. Selectors of a variant
 * are allowed, because file names with emoji have them.
 */

const hidden = String.raw`\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}[\p{DI}--\p{VS}]`;
const firstHidden = new RegExp(`[${hidden}]`, "v");
const allHidden = new RegExp(`[${hidden}]`, "gv");

/** Returns the first hidden character as "U+202E", or null. */
export function hiddenCharacterIn(text: string): string | null {
  const found = firstHidden.exec(text)?.[0];
  return found === undefined
    ? null
    : `U+${found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Returns the text with each hidden character replaced. */
export const replaceHidden = (text: string, replace: (character: string) => string): string =>
  firstHidden.test(text) ? text.replaceAll(allHidden, replace) : text;
