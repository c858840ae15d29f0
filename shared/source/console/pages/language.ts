/** Language and colours that the viewer chose; without a choice those of the browser count. */
import { computed, signal } from "@preact/signals";
import { german } from "./messages-german.ts";
import { english, type Messages } from "./messages.ts";

export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];
export const themes = ["auto", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const tables: Readonly<Record<Language, Messages>> = { en: english, de: german };

function chosen<T extends string>(key: string, values: readonly T[]): T | null {
  const stored = localStorage.getItem(`flockcast.${key}`);
  return values.find((value) => value === stored) ?? null;
}

const ofBrowser = (): Language => {
  const words = navigator.languages.map((tag) => tag.slice(0, 2));
  return languages.find((one) => one === words.find((word) => word === "en" || word === "de")) ?? "en";
};

export const language = signal<Language>(chosen("language", languages) ?? ofBrowser());
export const theme = signal<Theme>(chosen("theme", themes) ?? "auto");
/** Messages in the language of the viewer. */
export const messages = computed<Messages>(() => tables[language.value]);

/**
 * Language with the region of the browser, such as en-GB: regions write times in other ways.
 */
export const locale = computed<string>(
  () => navigator.languages.find((tag) => tag.slice(0, 2) === language.value) ?? language.value,
);

export function chooseLanguage(choice: Language): void {
  localStorage.setItem("flockcast.language", choice);
  language.value = choice;
  document.documentElement.lang = choice;
}

export function chooseTheme(choice: Theme): void {
  localStorage.setItem("flockcast.theme", choice);
  theme.value = choice;
  applyTheme();
}

function applyTheme(): void {
  if (theme.value === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}

export function applyChoices(): void {
  document.documentElement.lang = language.value;
  applyTheme();
}
