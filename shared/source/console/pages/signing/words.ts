/** Texts about signing in the language of the viewer; loaded with the pages that need them. */
import { computed } from "@preact/signals";
import { language } from "../language.ts";
import { signingGerman } from "./words-german.ts";
import { signingEnglish, type SigningWords } from "./words-english.ts";

export const signingMessages = computed<SigningWords>(() =>
  language.value === "de" ? signingGerman : signingEnglish,
);
