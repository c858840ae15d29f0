/** Settings as a tree of inheritance, and one setting with its differences and origins. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { SettingChanged, SettingView } from "../../../api/schema/settings.ts";
import type { TrustView } from "../../../api/schema/trust.ts";
import { newSettingNameSchema } from "../../../model/setting-name.ts";
import type { SettingList } from "./answers.ts";
import { DraftNotice } from "./drafts.tsx";
import { Badge, ConfirmedButton, Facts, Heading, Shown, Table } from "./elements.tsx";
import { checked, Field, FormButton, Select, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { newSettingAsked } from "./signing/asked.ts";
import { signChange } from "./signing/sign-orders.ts";
import { SettingAssignments } from "./setting-assignments.tsx";
import { SettingEditor } from "./setting-edit.tsx";
import { keyText, valueText } from "./setting-text.ts";
import { SettingVersions } from "./setting-versions.tsx";
import { count } from "./texts.ts";

/** Returns the settings with each one before those that inherit from it. */
function inTreeOrder(settings: readonly SettingView[]): SettingView[] {
  const byParent = Map.groupBy(settings, ({ parent }) => parent);
  const ordered: SettingView[] = [];
  const addBelow = (parent: string | null): void => {
    for (const one of byParent.get(parent) ?? []) {
      ordered.push(one);
      addBelow(one.name);
    }
  };
  addBelow(null);
  return ordered;
}

const levelOf = ({ parents }: SettingView): number => parents.length;

export function SettingsPage() {
  const words = messages.value.settings;
  const settings = useLoaded<SettingList>("/v1/settings");
  const trust = useLoaded<TrustView>("/v1/trust");
  const changed = async (): Promise<void> => {
    await Promise.all([settings.reload(), trust.reload()]);
  };
  return (
    <>
      <Heading text={words.title} />
      <DraftNotice trust={trust} />
      <Shown loaded={settings}>
        {({ settings: all }) => (
          <>
            {may("POST /v1/settings") && <CreateButton settings={all} onCreated={changed} />}
            <SettingTree settings={all} />
            <SettingAssignments settings={all} onChanged={changed} />
          </>
        )}
      </Shown>
    </>
  );
}

type CreateOptions = { readonly settings: readonly SettingView[]; readonly onCreated: () => Promise<void> };

function CreateButton({ settings, onCreated }: CreateOptions) {
  const words = messages.value.settingChanges;
  const create = async (data: FormData): Promise<void> => {
    const name = checked("name", newSettingNameSchema, textOf(data, "name"));
    const parent = textOf(data, "parent");
    const { isSigned } = await ask<SettingChanged>("POST", "/v1/settings", { name, parent });
    try {
      if (!isSigned) await signChange({ kind: "setting", subject: name }, newSettingAsked(parent));
    } finally {
      await onCreated();
    }
  };
  return (
    <div class="buttons">
      <FormButton name={words.create} send={create}>
        <Field name="name" label={words.name} hint={words.nameHint} />
        <Select
          name="parent"
          label={messages.value.settings.parent}
          options={settings.map(({ name }) => [name, name])}
          value="default"
        />
      </FormButton>
    </div>
  );
}

function SettingTree({ settings }: SettingList) {
  const words = messages.value.settings;
  return (
    <Table
      label={words.title}
      rows={inTreeOrder(settings)}
      keyOf={({ name }) => name}
      columns={[
        {
          name: messages.value.devices.name,
          cell: (one) => (
            <span class={`level level-${Math.min(levelOf(one), 6)}`}>
              <a href={addressOf("settings", one.name)}>{one.name}</a>
            </span>
          ),
        },
        { name: words.parent, cell: ({ parent }) => parent ?? words.builtIn },
        {
          name: words.differences,
          cell: ({ differences }) => Object.keys(differences).map(keyText).join(", ") || messages.value.none,
        },
        { name: words.devices, isNumber: true, cell: ({ devices }) => count(devices) },
        { name: words.tasks, isNumber: true, cell: ({ openTasks }) => count(openTasks) },
        { name: words.version, isNumber: true, cell: ({ version }) => count(version) },
      ]}
    />
  );
}

export function SettingPage({ id }: { id: string }) {
  const words = messages.value.settings;
  const path = `/v1/settings/${encodeURIComponent(id)}`;
  const setting = useLoaded<SettingView>(path);
  const trust = useLoaded<TrustView>("/v1/trust");
  const [isOwnOnly, setOwnOnly] = useState(false);
  const [isEditing, setEditing] = useState(false);
  const [changed, setChanged] = useState<SettingChanged | null>(null);
  const saved = async (change: SettingChanged): Promise<void> => {
    setEditing(false);
    setChanged(change);
    await Promise.all([setting.reload(), trust.reload()]);
  };
  return (
    <>
      <Heading text={words.one(id)}>
        <label class="inline">
          <input
            type="checkbox"
            role="switch"
            checked={isOwnOnly}
            onChange={(event) => setOwnOnly(event.currentTarget.checked)}
          />
          {words.onlyDifferences}
        </label>
      </Heading>
      <DraftNotice trust={trust} />
      {changed && <Saved changed={changed} />}
      <Shown loaded={setting}>
        {(data) => (
          <>
            <SettingFacts setting={data} />
            <Actions name={id} isEditing={isEditing} toggle={() => setEditing(!isEditing)} />
            {isEditing ? (
              <SettingEditor setting={data} onSaved={saved} />
            ) : (
              <Values setting={data} isOwnOnly={isOwnOnly} />
            )}
            <SettingVersions key={data.version} name={id} onSaved={saved} />
          </>
        )}
      </Shown>
    </>
  );
}

function Saved({ changed }: { changed: SettingChanged }) {
  const words = messages.value;
  const notice = useRef<HTMLDivElement>(null);
  // The form that was left may have been longer than the window.
  useEffect(() => notice.current?.scrollIntoView({ block: "center" }), [changed]);
  return (
    <div ref={notice} class="notice" role="status">
      <p>
        {words.settingChanges.saved(count(changed.version), count(changed.devices), count(changed.openTasks))}
      </p>
      {!changed.isSigned && <p>{words.drafts.draft}</p>}
    </div>
  );
}

function SettingFacts({ setting }: { setting: SettingView }) {
  const words = messages.value.settings;
  const { parent, version, devices, openTasks } = setting;
  const parentLink = parent === null ? words.builtIn : <a href={addressOf("settings", parent)}>{parent}</a>;
  return (
    <Facts
      facts={[
        [words.parent, parentLink],
        [words.version, count(version)],
        [words.devices, count(devices)],
        [words.tasks, count(openTasks)],
      ]}
    />
  );
}

type ActionsOptions = { readonly name: string; readonly isEditing: boolean; readonly toggle: () => void };

function Actions({ name, isEditing, toggle }: ActionsOptions) {
  const words = messages.value.settingChanges;
  const path = `/v1/settings/${encodeURIComponent(name)}`;
  const rename = async (data: FormData): Promise<void> => {
    const newName = checked("name", newSettingNameSchema, textOf(data, "name"));
    await ask("POST", `${path}/rename`, { name: newName });
    goTo("settings", newName);
  };
  const remove = async (): Promise<void> => {
    await ask("DELETE", path);
    goTo("settings");
  };
  return (
    <div class="buttons">
      {may("PATCH /v1/settings/:name") && (
        <button type="button" class="secondary" onClick={toggle}>
          {isEditing ? words.stopEdit : words.edit}
        </button>
      )}
      {name !== "default" && may("POST /v1/settings/:name/rename") && (
        <FormButton name={words.rename} send={rename}>
          <Field name="name" label={words.name} hint={words.nameHint} value={name} />
        </FormButton>
      )}
      {name !== "default" && may("DELETE /v1/settings/:name") && (
        <ConfirmedButton name={words.remove} question={words.askRemove(name)} send={remove} isDangerous />
      )}
    </div>
  );
}

function Values({ setting, isOwnOnly }: { setting: SettingView; isOwnOnly: boolean }) {
  const words = messages.value.settings;
  const fields = Object.entries(setting.values).filter(
    ([field]) => !isOwnOnly || setting.origins[field] === setting.name,
  );
  if (fields.length === 0) return <p>{words.noDifferences}</p>;
  return (
    <Table
      label={words.one(setting.name)}
      rows={fields}
      keyOf={([field]) => field}
      columns={[
        { name: words.field, cell: ([field]) => keyText(field) },
        { name: words.value, cell: ([field, value]) => <code>{valueText(field, value)}</code> },
        {
          name: words.origin,
          cell: ([field]) => {
            const origin = setting.origins[field] ?? null;
            if (origin === null) return words.builtIn;
            return origin === setting.name ? <Badge kind="busy" text={words.own} /> : origin;
          },
        },
      ]}
    />
  );
}
