/** Versions of a setting: who changed what, and the way back to an earlier one. */
import type { SettingChanged, SettingVersion } from "../../../api/schema/settings.ts";
import type { SettingVersionList } from "./answers.ts";
import { ConfirmedButton, Shown, Table, Time, type Column } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import { may } from "./session.ts";
import { keyText, valueText } from "./setting-text.ts";
import { count } from "./texts.ts";

type VersionsOptions = { readonly name: string; readonly onSaved: (changed: SettingChanged) => unknown };

export function SettingVersions({ name, onSaved }: VersionsOptions) {
  const words = messages.value.settingChanges;
  const path = `/v1/settings/${encodeURIComponent(name)}`;
  const versions = useLoaded<SettingVersionList>(`${path}/versions`);
  const revert = async (version: number): Promise<void> => {
    onSaved(await ask<SettingChanged>("POST", `${path}/revert`, { version }));
    await versions.reload();
  };
  const newest = versions.data?.versions[0]?.version;
  const columns: Column<SettingVersion>[] = [
    { name: messages.value.settings.version, cell: ({ version }) => count(version) },
    {
      name: words.at,
      cell: ({ changedAtMs }) => (changedAtMs === null ? words.unknown : <Time atMs={changedAtMs} />),
    },
    { name: words.who, cell: ({ changedBy }) => changedBy ?? words.unknown },
    { name: messages.value.settings.parent, cell: ({ parent }) => parent ?? messages.value.settings.builtIn },
    { name: words.changes, cell: (version) => <Changes changes={version.changes} /> },
  ];
  if (may("POST /v1/settings/:name/revert"))
    columns.push({
      name: words.actions,
      cell: ({ version }) =>
        version !== newest && (
          <div class="buttons">
            <ConfirmedButton
              name={words.revert(count(version))}
              question={words.askRevert(count(version))}
              send={() => revert(version)}
            />
          </div>
        ),
    });
  return (
    <section>
      <h2>{words.versions}</h2>
      <Shown loaded={versions}>
        {({ versions: rows }) => (
          <Table label={words.versions} rows={rows} keyOf={({ version }) => version} columns={columns} />
        )}
      </Shown>
    </section>
  );
}

function Changes({ changes }: Pick<SettingVersion, "changes">) {
  const words = messages.value.settingChanges;
  if (changes.length === 0) return <>–</>;
  const side = (field: string, value: unknown): string =>
    value === undefined ? words.inheritedSide : valueText(field, value);
  return (
    <ul class="plain">
      {changes.map(({ field, before, after }) => (
        <li key={field}>{words.change(keyText(field), side(field, before), side(field, after))}</li>
      ))}
    </ul>
  );
}
