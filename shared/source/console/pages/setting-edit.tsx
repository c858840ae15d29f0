/**
 * Values of a setting in a form, as the command line writes them. Each value is checked by the
 * schema of the API, and the changes are shown before they are sent.
 */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { SettingChanged, SettingView } from "../../../api/schema/settings.ts";
import {
  defaultSettingValues,
  settingKeys,
  type SettingField,
  type SettingKey,
  type SettingValues,
} from "../../../model/setting.ts";
import { formatSettingValue, parseSettingWords, type SettingChange } from "../../../model/setting-words.ts";
import { Problem } from "./elements.tsx";
import { Dialog, Form, Select } from "./forms.tsx";
import { language, messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import type { SettingList } from "./answers.ts";
import { settingAsked } from "./signing/asked.ts";
import { signChange } from "./signing/sign-orders.ts";
import { count } from "./texts.ts";

type Row = { readonly key: SettingKey; readonly field: SettingField; readonly about: string };
const rows: readonly Row[] = Object.entries(settingKeys).map(([key, { field, about }]) => ({
  key: key as SettingKey,
  field,
  about,
}));

/** Text of each field that is no longer as it was; null: inherited. */
type Texts = Partial<Record<SettingField, string | null>>;
type Faults = Partial<Record<SettingField, string>>;
type Draft = SettingChange & { readonly parent?: string };

const storedText = ({ differences }: SettingView, field: SettingField): string | null =>
  Object.hasOwn(differences, field) ? formatSettingValue(field, differences[field]) : null;

/** Returns what the texts change, and why some of them cannot be sent. */
function readTexts(setting: SettingView, texts: Texts): { words: SettingChange; faults: Faults } {
  const faults: Faults = {};
  const words: string[] = [];
  for (const { key, field } of rows) {
    const text = texts[field];
    if (text === undefined || text === storedText(setting, field)) continue;
    const word = `${key}=${text ?? "inherit"}`;
    try {
      parseSettingWords([word]);
      words.push(word);
    } catch (error) {
      faults[field] = error instanceof Error ? error.message : String(error);
    }
  }
  return { words: parseSettingWords(words), faults };
}

type EditorOptions = {
  readonly setting: SettingView;
  readonly onSaved: (changed: SettingChanged) => unknown;
};

/** Texts and parent in the form, and what they would change. */
function useDraft(setting: SettingView) {
  const [texts, setTexts] = useState<Texts>({});
  const [parent, setParent] = useState(setting.parent);
  const [faults, setFaults] = useState<Faults>({});
  const [isEmpty, setEmpty] = useState(false);
  const [draft, setDraft] = useState<Draft | null>(null);
  const review = (): void => {
    const read = readTexts(setting, texts);
    setFaults(read.faults);
    if (Object.keys(read.faults).length > 0) return;
    const isMoved = parent !== null && parent !== setting.parent;
    const isChanged = isMoved || Object.keys(read.words.set).length + read.words.inherit.length > 0;
    setEmpty(!isChanged);
    if (isChanged) setDraft({ ...read.words, ...(isMoved ? { parent } : {}) });
  };
  const textAt = (field: SettingField): string | null =>
    texts[field] === undefined ? storedText(setting, field) : texts[field];
  const change = (field: SettingField, text: string | null): void =>
    setTexts((last) => ({ ...last, [field]: text }));
  return { parent, setParent, faults, isEmpty, draft, drop: () => setDraft(null), review, textAt, change };
}

type SearchOptions = { readonly search: string; readonly setSearch: (text: string) => void };

const ValueSearch = ({ search, setSearch }: SearchOptions) => (
  <label class="value-search">
    {messages.value.settingChanges.search}
    <input
      type="search"
      value={search}
      spellcheck={false}
      onInput={(event) => setSearch(event.currentTarget.value)}
    />
  </label>
);

export function SettingEditor({ setting, onSaved }: EditorOptions) {
  const words = messages.value.settingChanges;
  const all = useLoaded<SettingList>("/v1/settings");
  const { parent, setParent, faults, isEmpty, draft, drop, review, textAt, change } = useDraft(setting);
  const settings = all.data?.settings ?? [];
  const inherited = settings.find(({ name }) => name === parent)?.values ?? defaultSettingValues;
  const faultCount = Object.keys(faults).length;
  const [search, setSearch] = useState("");
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [faults]);
  // A value with an error stays in view.
  const fits = ({ key, field, about }: Row): boolean =>
    faults[field] !== undefined || `${key} ${about}`.toLowerCase().includes(search.trim().toLowerCase());
  return (
    <>
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          review();
        }}
      >
        {all.error && <Problem error={all.error} onRetry={all.reload} />}
        {setting.parent !== null && (
          <Select
            name="parent"
            label={messages.value.settings.parent}
            options={parentsOf(setting, settings)}
            value={parent ?? ""}
            onChange={setParent}
          />
        )}
        <ValueSearch search={search} setSearch={setSearch} />
        <div class="values">
          {rows.filter(fits).map((row) => (
            <Value
              key={row.key}
              row={row}
              text={textAt(row.field)}
              inherited={inherited}
              fault={faults[row.field]}
              change={(text) => change(row.field, text)}
            />
          ))}
        </div>
        <div class="buttons review">
          <button type="submit">{words.review}</button>
          <span role="status">
            {isEmpty && words.nothing}
            {faultCount > 0 && words.faults(count(faultCount))}
          </span>
        </div>
      </form>
      {draft !== null && <Review setting={setting} draft={draft} onSaved={onSaved} close={drop} />}
    </>
  );
}

/** A setting cannot inherit from itself, nor from one that inherits from it. */
function parentsOf(setting: SettingView, all: readonly SettingView[]): [string, string][] {
  const isBelow = ({ name, parents }: SettingView): boolean =>
    name === setting.name || parents.some((one) => one.name === setting.name);
  const names = all.filter((one) => !isBelow(one)).map(({ name }) => name);
  const known = names.includes(setting.parent!) ? names : [setting.parent!, ...names];
  return known.map((name) => [name, name]);
}

type ValueOptions = {
  readonly row: Row;
  readonly text: string | null;
  readonly inherited: SettingValues;
  readonly fault: string | undefined;
  readonly change: (text: string | null) => void;
};

function Value({ row: { key, field, about }, text, inherited, fault, change }: ValueOptions) {
  const words = messages.value.settingChanges;
  const id = useId();
  const inheritedText = formatSettingValue(field, inherited[field]);
  const shared = {
    id,
    name: key,
    value: text ?? inheritedText,
    // Another value ends the inheritance.
    class: text === null ? "inherited" : undefined,
    "aria-invalid": fault === undefined ? undefined : true,
    "aria-describedby": `${id}-about${fault === undefined ? "" : ` ${id}-fault`}`,
  } as const;
  return (
    <div>
      <label for={id}>
        <strong>{key}</strong>
      </label>
      <label class="inline">
        <input
          type="checkbox"
          role="switch"
          aria-label={`${words.inherit}: ${key}`}
          checked={text === null}
          onChange={(event) => change(event.currentTarget.checked ? null : inheritedText)}
        />
        {words.inherit}
      </label>
      {typeof defaultSettingValues[field] === "boolean" ? (
        <select {...shared} onChange={(event) => change(event.currentTarget.value)}>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : (
        <input
          {...shared}
          spellcheck={false}
          autocapitalize="none"
          autocomplete="off"
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
      {fault !== undefined && (
        <p id={`${id}-fault`} class="fault" role="alert">
          <span lang="en">{fault}</span>
          {language.value !== "en" && ` ${messages.value.nextSteps[422]}`}
        </p>
      )}
      <small id={`${id}-about`}>
        <span lang="en">{about}</span>
        <br />
        {words.inherited(inheritedText)};{" "}
        {words.builtIn(formatSettingValue(field, defaultSettingValues[field]))}
      </small>
    </div>
  );
}

type ReviewOptions = EditorOptions & { readonly draft: Draft; readonly close: () => void };

function Review({ setting, draft, onSaved, close }: ReviewOptions) {
  const words = messages.value.settingChanges;
  const lines = rows.flatMap(({ key, field }) => {
    const isInherited = draft.inherit.includes(field);
    if (!isInherited && !Object.hasOwn(draft.set, field)) return [];
    const before = formatSettingValue(field, setting.values[field]);
    const after = isInherited ? words.inheritedSide : formatSettingValue(field, draft.set[field]);
    return [words.change(key, before, after)];
  });
  if (draft.parent !== undefined)
    lines.push(words.change(messages.value.settings.parent, setting.parent ?? "", draft.parent));
  const send = async (): Promise<void> => {
    const path = `/v1/settings/${encodeURIComponent(setting.name)}`;
    const changed = await ask<SettingChanged>("PATCH", path, draft);
    const subject = { kind: "setting", subject: setting.name } as const;
    const isSigned = changed.isSigned || (await signChange(subject, settingAsked(draft))) === "signed";
    onSaved({ ...changed, isSigned });
  };
  return (
    <Dialog name={words.save} close={close}>
      <ul class="plain">
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <p>{words.reach(count(setting.devices), count(setting.openTasks))}</p>
      <Form submit={words.save} send={send} close={close} />
    </Dialog>
  );
}
