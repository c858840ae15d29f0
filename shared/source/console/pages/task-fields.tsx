/** Fields of a task: package, command, target, schedule and setting. */
import type { PublishedPackage } from "../../../api/schema/admin.ts";
import type { SettingView } from "../../../api/schema/settings.ts";
import { compareVersions } from "../../../model/version-order.ts";
import { Field, type FieldAttributes } from "./form-field.tsx";
import { ImageFields } from "./image-fields.tsx";
import { messages } from "./language.ts";
import type { TargetCount } from "./answers.ts";
import { refusalText, TargetDevices, type Asked } from "./target-preview.tsx";
import { runsCommand, textLengthMax, type FieldsState, type TaskDraft } from "./task-draft.ts";

/** Returns the words of a field's error. */
const problemOf = ({ problems }: FieldsState, field: keyof TaskDraft): string | undefined => {
  const problem = problems[field];
  return problem === undefined ? undefined : messages.value.wizard.problems[problem];
};

/** Returns the packages of a name with the highest version first. */
export const versionsOf = (packages: readonly PublishedPackage[], name: string): PublishedPackage[] =>
  packages.filter((one) => one.name === name).toSorted((a, b) => compareVersions(b.version, a.version));

const namesOf = (packages: readonly PublishedPackage[]): string[] =>
  [...new Set(packages.map(({ name }) => name))].toSorted((a, b) => a.localeCompare(b));

const TextInput = ({
  state: { draft, change },
  field,
  ...attributes
}: FieldAttributes & { state: FieldsState; field: "command" | "target" | "notWhile" | "after" }) => (
  <input
    {...attributes}
    value={draft[field]}
    maxLength={textLengthMax}
    spellcheck={false}
    autocapitalize="none"
    autocomplete="off"
    onInput={(event) => change({ [field]: event.currentTarget.value })}
  />
);

/** Names above this number get a field that searches them. */
const searchFromNames = 8;

export function PackageFields({
  state,
  packages,
  search,
  setSearch,
}: {
  state: FieldsState;
  packages: readonly PublishedPackage[];
  search: string;
  setSearch: (text: string) => void;
}) {
  const { draft, change } = state;
  const words = messages.value.wizard;
  const all = namesOf(packages);
  const wanted = search.trim().toLowerCase();
  // The chosen package stays in the list, whatever is searched.
  const found = all.filter((name) => name === draft.name || name.toLowerCase().includes(wanted));
  const choose = (name: string): void =>
    change({ name, version: versionsOf(packages, name)[0]?.version ?? "", run: "" });
  return (
    <fieldset>
      <legend>{messages.value.tasks.package}</legend>
      {all.length > searchFromNames && (
        <Field name="package-search" label={words.searchPackage} hint={words.found(found.length)}>
          {(attributes) => (
            <input
              {...attributes}
              type="search"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      <div class="field-row">
        <Field name="package" label={messages.value.packages.name} problem={problemOf(state, "name")}>
          {(attributes) => (
            <select
              {...attributes}
              value={draft.name}
              onChange={(event) => choose(event.currentTarget.value)}
            >
              <option value="">{words.choose}</option>
              {found.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <VersionField state={state} versions={versionsOf(packages, draft.name)} />
      </div>
    </fieldset>
  );
}

const VersionField = ({
  state: { draft, change },
  versions,
}: {
  state: FieldsState;
  versions: readonly PublishedPackage[];
}) => (
  <Field name="version" label={messages.value.packages.version}>
    {(attributes) => (
      <select
        {...attributes}
        value={draft.version}
        disabled={draft.name === ""}
        onChange={(event) => change({ version: event.currentTarget.value, run: "" })}
      >
        {versions.map(({ version }) => (
          <option key={version} value={version}>
            {version}
          </option>
        ))}
      </select>
    )}
  </Field>
);

export function ActionFields({
  state,
  commands,
}: {
  state: FieldsState;
  commands: PublishedPackage["commands"];
}) {
  const { draft, change } = state;
  const words = messages.value.wizard;
  return (
    <fieldset>
      <legend>{messages.value.tasks.action}</legend>
      <Field name="action" label={words.whatToDo}>
        {(attributes) => (
          <select
            {...attributes}
            value={draft.action}
            onChange={(event) => change({ action: event.currentTarget.value as TaskDraft["action"] })}
          >
            <option value="pre-cache">{words.actions["pre-cache"]}</option>
            <option value="named" disabled={commands.length === 0}>
              {words.actions.named}
            </option>
            <option value="line">{words.actions.line}</option>
            <option value="upgrade">{words.actions.upgrade}</option>
            <option value="image">{words.actions.image}</option>
          </select>
        )}
      </Field>
      {draft.action === "named" && <CommandField state={state} commands={commands} />}
      {draft.action === "line" && (
        <Field
          name="command"
          label={messages.value.packages.line}
          hint={words.lineHint}
          problem={problemOf(state, "command")}
        >
          {(attributes) => <TextInput {...attributes} state={state} field="command" />}
        </Field>
      )}
      {draft.action === "image" && <ImageFields state={state} />}
      {runsCommand(draft) && (
        <Field name="after" label={words.after} hint={words.afterHint} problem={problemOf(state, "after")}>
          {(attributes) => <TextInput {...attributes} state={state} field="after" />}
        </Field>
      )}
      {draft.action !== "pre-cache" && (
        <label class="inline">
          <input
            type="checkbox"
            checked={draft.allowDowngrade}
            onChange={(event) => change({ allowDowngrade: event.currentTarget.checked })}
          />
          {words.allowDowngrade}
        </label>
      )}
    </fieldset>
  );
}

function CommandField({ state, commands }: { state: FieldsState; commands: PublishedPackage["commands"] }) {
  const { draft, change } = state;
  return (
    <Field name="run" label={messages.value.packages.command} problem={problemOf(state, "run")}>
      {(attributes) => (
        <select
          {...attributes}
          value={draft.run}
          onChange={(event) => change({ run: event.currentTarget.value })}
        >
          <option value="">{messages.value.wizard.choose}</option>
          {commands.map(({ name, lines }) => (
            <option key={name} value={name}>
              {`${name} (${lines.map(({ os }) => os).join(", ")})`}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function TargetFields({ state, counted }: { state: FieldsState; counted: Asked<TargetCount> }) {
  const words = messages.value;
  const refusal = counted.error === null ? undefined : refusalText(counted.error);
  return (
    <fieldset>
      <legend>{words.tasks.target}</legend>
      <Field
        name="target"
        label={words.devices.filter}
        hint={words.devices.filterHint}
        problem={problemOf(state, "target") ?? refusal}
      >
        {(attributes) => <TextInput {...attributes} state={state} field="target" />}
      </Field>
      <TargetDevices counted={counted.data} />
    </fieldset>
  );
}

type TimeFieldOptions = {
  state: FieldsState;
  field: "start" | "deadline" | "expires";
  label: string;
  hint?: string;
};

const TimeField = ({ state, field, label, hint }: TimeFieldOptions) => (
  <Field name={field} label={label} hint={hint} problem={problemOf(state, field)}>
    {(attributes) => (
      <input
        {...attributes}
        type="datetime-local"
        value={state.draft[field]}
        onInput={(event) => state.change({ [field]: event.currentTarget.value })}
      />
    )}
  </Field>
);

export function ScheduleFields({ state }: { state: FieldsState }) {
  const { draft, change } = state;
  const words = messages.value.wizard;
  return (
    <fieldset>
      <legend>{words.schedule}</legend>
      <div class="field-row">
        <Field name="start-kind" label={messages.value.tasks.start}>
          {(attributes) => (
            <select
              {...attributes}
              value={draft.startKind}
              onChange={(event) => change({ startKind: event.currentTarget.value as TaskDraft["startKind"] })}
            >
              <option value="now">{words.starts.now}</option>
              <option value="at">{words.starts.at}</option>
              <option value="local">{words.starts.local}</option>
            </select>
          )}
        </Field>
        {draft.startKind !== "now" && (
          <TimeField
            state={state}
            field="start"
            label={words.startTime}
            hint={draft.startKind === "local" ? words.localHint : words.zoneHint}
          />
        )}
        <TimeField
          state={state}
          field="expires"
          label={messages.value.task.expires}
          hint={words.expiresHint}
        />
        {runsCommand(draft) && (
          <TimeField state={state} field="deadline" label={words.deadline} hint={words.deadlineHint} />
        )}
      </div>
      {runsCommand(draft) && (
        <Field
          name="not-while"
          label={words.notWhile}
          hint={words.notWhileHint}
          problem={problemOf(state, "notWhile")}
        >
          {(attributes) => <TextInput {...attributes} state={state} field="notWhile" />}
        </Field>
      )}
      <label class="inline">
        <input
          type="checkbox"
          checked={draft.wakes}
          onChange={(event) => change({ wakes: event.currentTarget.checked })}
        />
        {words.wakes}
      </label>
    </fieldset>
  );
}

export const SettingField = ({
  state: { draft, change },
  settings,
}: {
  state: FieldsState;
  settings: readonly SettingView[];
}) => (
  <fieldset>
    <legend>{messages.value.task.setting}</legend>
    <Field name="setting" label={messages.value.wizard.setting} hint={messages.value.wizard.settingHint}>
      {(attributes) => (
        <select
          {...attributes}
          value={draft.setting}
          onChange={(event) => change({ setting: event.currentTarget.value })}
        >
          <option value="">{messages.value.task.ownSetting}</option>
          {[...new Set([...settings.map(({ name }) => name), draft.setting])]
            .filter((name) => name !== "")
            .map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
        </select>
      )}
    </Field>
  </fieldset>
);
