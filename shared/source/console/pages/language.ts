/**
 * Language and colours that the viewer chose; without a choice those of the browser count. English
 * is part of the first page, and another language is loaded when somebody reads it.
 */
import { batch, computed, signal } from "@preact/signals";
import { english, type Messages } from "./messages.ts";

export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];
export const themes = ["auto", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const loaders: Readonly<Record<Language, () => Promise<Messages>>> = {
  en: () => Promise.resolve(english),
  de: async () => (await import("./messages-german.ts")).german,
};

function chosen<T extends string>(key: string, values: readonly T[]): T | null {
  const stored = localStorage.getItem(`flockcast.${key}`);
  return values.find((value) => value === stored) ?? null;
}

const ofBrowser = (): Language => {
  const words = navigator.languages.map((tag) => tag.slice(0, 2));
  return languages.find((one) => one === words.find((word) => word === "en" || word === "de")) ?? "en";
};

/** The language of `messages`. */
export const language = signal<Language>("en");
export const theme = signal<Theme>(chosen("theme", themes) ?? "auto");
/** Messages in the language of the viewer. */
export const messages = signal<Messages>(english);

async function speak(choice: Language): Promise<void> {
  const table = await loaders[choice]();
  batch(() => {
    messages.value = table;
    language.value = choice;
  });
  document.documentElement.lang = choice;
}

/**
 * Language with the region of the browser, such as en-GB: regions write times in other ways.
 */
export const locale = computed<string>(
  () => navigator.languages.find((tag) => tag.slice(0, 2) === language.value) ?? language.value,
);

export function chooseLanguage(choice: Language): void {
  localStorage.setItem("flockcast.language", choice);
  // A source that does not answer leaves the language as it is.
  speak(choice).catch(() => {});
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

/** Resolves when the texts are there; English stays where another language cannot be loaded. */
export async function applyChoices(): Promise<void> {
  applyTheme();
  await speak(chosen("language", languages) ?? ofBrowser()).catch(() => speak("en"));
}
