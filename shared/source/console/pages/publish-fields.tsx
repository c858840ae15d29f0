/** Fields that every way to publish has: name and version, and the named commands. */
import { Field } from "./form-field.tsx";
import { messages } from "./language.ts";

type Named = { readonly name: string; readonly version: string };

export function NameFields({
  name,
  version,
  problems,
  change,
}: Named & { problems: { name?: string; version?: string }; change: (part: Partial<Named>) => void }) {
  const words = messages.value;
  return (
    <div class="field-row">
      <Field name="package-name" label={words.packages.name} problem={problems.name}>
        {(attributes) => (
          <input
            {...attributes}
            value={name}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field
        name="package-version"
        label={words.packages.version}
        hint={words.publish.versionHint}
        problem={problems.version}
      >
        {(attributes) => (
          <input
            {...attributes}
            value={version}
            onInput={(event) => change({ version: event.currentTarget.value })}
          />
        )}
      </Field>
    </div>
  );
}

/** Text of the file of named commands. */
export function CommandsField({ value, change }: { value: string; change: (text: string) => void }) {
  const words = messages.value.publish;
  return (
    <Field name="commands" label={words.commands} hint={words.commandsHint}>
      {(attributes) => (
        <textarea
          {...attributes}
          rows={4}
          spellcheck={false}
          value={value}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
