/**
 * Order of package versions. "Newest" is the highest version, not the last one published.
 *
 * A version is read as numbers and words; every other character only separates them. Numbers
 * compare by value, and a missing one counts as 0. The words below mark a version before the final
 * one (1.2-rc1 is lower than 1.2), in this order. Any other word makes it higher (1.2a is higher
 * than 1.2), and words compare alphabetically, without case. Versions that are equal by these rules
 * (1.0 and 1.0.0) compare by their characters, so that the order is total.
 */

const preReleaseWords = ["dev", "snapshot", "nightly", "canary", "alpha", "beta", "preview", "pre", "rc"];

/** Number: its digits without leading zeros. Word: its rank among pre-releases, or -1. */
type Token =
  | { readonly kind: "number"; readonly digits: string }
  | { readonly kind: "word"; readonly word: string; readonly preRelease: number };

/** Returns a number below, equal to or above 0, as `Array.sort` expects. */
export const compareVersions = (a: string, b: string): number =>
  compareVersionParts(a, b) || compareText(a, b);

/** Compares numbers and words only: 1.0 equals 1.0.0. */
export function compareVersionParts(a: string, b: string): number {
  const [left, right] = [tokensOf(a), tokensOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const order = compareTokens(left[at], right[at]);
    if (order !== 0) return order;
  }
  return 0;
}

const tokensOf = (version: string): Token[] =>
  (version.toLowerCase().match(/\d+|[a-z]+/g) ?? []).map((text) =>
    /^\d/.test(text)
      ? { kind: "number", digits: text.replace(/^0+(?=\d)/, "") }
      : { kind: "word", word: text, preRelease: preReleaseWords.indexOf(text) },
  );

/** Ranks kinds of tokens at one place: pre-release, end, other word, number. */
function rankOf(token: Token | undefined): number {
  if (token === undefined) return 1;
  if (token.kind === "number") return token.digits === "0" ? 1 : 3;
  return token.preRelease >= 0 ? 0 : 2;
}

function compareTokens(a: Token | undefined, b: Token | undefined): number {
  const ranks = rankOf(a) - rankOf(b);
  if (ranks !== 0) return ranks;
  if (a?.kind === "number" && b?.kind === "number")
    return a.digits.length - b.digits.length || compareText(a.digits, b.digits);
  if (a?.kind === "word" && b?.kind === "word")
    return a.preRelease - b.preRelease || compareText(a.word, b.word);
  return 0;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
