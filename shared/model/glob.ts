/**
 * Patterns with `*` (any text) and `?` (any one character), compared without case. Takes time in
 * proportion to pattern times text, whatever the number of stars: a regular expression does not.
 */

/** Returns the form in which names compare: NFC, without case. */
export const foldedName = (text: string): string => text.normalize("NFC").toLowerCase();

export const isPattern = (text: string): boolean => /[*?]/.test(text);

/** Returns whether the whole text matches. Both are folded (`foldedName`). */
export function matchesPattern(pattern: string, text: string): boolean {
  let [at, textAt] = [0, 0];
  /** Place after the last star, and the end of the text that the star takes. */
  let [starAt, takenTo] = [-1, 0];
  while (textAt < text.length) {
    if (pattern[at] === "*") {
      [starAt, takenTo] = [++at, textAt];
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[textAt])) {
      at++;
      textAt++;
    } else if (starAt >= 0) {
      at = starAt;
      textAt = ++takenTo;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
