/**
 * Reasons in the language that the viewer chose, with times, durations, rates and numbers as that
 * language writes them.
 */
import { englishTexts, reasonsText, type Reasons, type ReasonTexts } from "../../../model/reason.ts";
import { quantitiesIn } from "./format.ts";
import { language, locale, type Language } from "./language.ts";
import { germanTexts } from "./reasons-german.ts";

const texts: Readonly<Record<Language, ReasonTexts>> = { en: englishTexts, de: germanTexts };

/** Returns reasons as one sentence for the viewer; empty without any. */
export const sentenceOf = (reasons: Reasons): string =>
  reasonsText(reasons, { texts: texts[language.value], quantities: quantitiesIn(locale.value) });
