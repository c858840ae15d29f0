/** Names that administrators give to tags, groups, sites and subnets. */
import * as v from "valibot";
import { hiddenCharacterIn } from "../hidden-characters.ts";

export const labelNameLengthMax = 64;
/** Means "none" in commands and targets, so nothing can have this name. */
export const noneName = "none";

/** 1 to 64 letters, digits, `_ . -`, in NFC: two spellings of one name are one name. */
export const labelNameSchema = v.pipe(
  v.string(),
  v.maxLength(labelNameLengthMax * 4, `a name has at most ${labelNameLengthMax} characters`),
  v.transform((text) => text.normalize("NFC")),
  v.check(
    (text) => [...text].length <= labelNameLengthMax,
    `a name has at most ${labelNameLengthMax} characters`,
  ),
  v.regex(/^[\p{L}\p{M}\p{N}_.-]+$/u, "a name has letters, digits, _ . - and no other character"),
  // Some letters of Unicode have no visible form.
  v.check((text) => hiddenCharacterIn(text) === null, "a name has visible characters only"),
  v.check((text) => text.toLowerCase() !== noneName, `"${noneName}" means that there is none`),
);
