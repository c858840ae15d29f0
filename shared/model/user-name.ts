/**
 * Names of users. Providers of single sign-on give names with `@` and `|`, so names of users have
 * more characters than tags. Names compare without case.
 */
import * as v from "valibot";

const charactersMax = 128;

export const userNameSchema = v.pipe(
  v.string(),
  v.maxLength(charactersMax * 4, `a user's name has at most ${charactersMax} characters`),
  v.transform((text) => text.normalize("NFC")),
  v.check(
    (text) => [...text].length <= charactersMax,
    `a user's name has at most ${charactersMax} characters`,
  ),
  v.regex(
    /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_.@+|-]*$/u,
    "a user's name begins with a letter or digit, and has letters, digits, _ . @ + | - only",
  ),
);
