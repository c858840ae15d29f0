/** Settings as a tree of inheritance, and one setting with its differences and origins. */
import { useState } from "preact/hooks";
import type { SettingView } from "../../../api/schema/settings.ts";
import { settingFields, type SettingField } from "../../../model/setting.ts";
import { formatSettingValue, settingKeyOf } from "../../../model/setting-words.ts";
import type { SettingList } from "./answers.ts";
import { Badge, Facts, Heading, Shown, Table } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
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
  return (
    <>
      <Heading text={words.title} />
      <Shown loaded={settings}>
        {({ settings: all }) => (
          <Table
            label={words.title}
            rows={inTreeOrder(all)}
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
                cell: ({ differences }) =>
                  Object.keys(differences).map(keyText).join(", ") || messages.value.none,
              },
              { name: words.devices, isNumber: true, cell: ({ devices }) => count(devices) },
              { name: words.tasks, isNumber: true, cell: ({ openTasks }) => count(openTasks) },
              { name: words.version, isNumber: true, cell: ({ version }) => count(version) },
            ]}
          />
        )}
      </Shown>
    </>
  );
}

export function SettingPage({ id }: { id: string }) {
  const words = messages.value.settings;
  const setting = useLoaded<SettingView>(`/v1/settings/${encodeURIComponent(id)}`);
  const [isOwnOnly, setOwnOnly] = useState(false);
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
      <Shown loaded={setting}>
        {(data) => (
          <>
            <Facts
              facts={[
                [
                  words.parent,
                  data.parent === null ? (
                    words.builtIn
                  ) : (
                    <a href={addressOf("settings", data.parent)}>{data.parent}</a>
                  ),
                ],
                [words.version, count(data.version)],
                [words.devices, count(data.devices)],
                [words.tasks, count(data.openTasks)],
              ]}
            />
            <Values setting={data} isOwnOnly={isOwnOnly} />
          </>
        )}
      </Shown>
    </>
  );
}

const isKnown = (field: string): field is SettingField =>
  (settingFields as readonly string[]).includes(field);

const keyText = (field: string): string => (isKnown(field) ? settingKeyOf(field) : field);

/** Returns a value as the command line writes it. A later version may have other fields. */
const valueText = (field: string, value: unknown): string =>
  isKnown(field) ? formatSettingValue(field, value) : JSON.stringify(value);

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
