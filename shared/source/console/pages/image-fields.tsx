/** Fields of a task that writes an image: the disk, whether it may hold data, and the end. */
import { machineEnds, type MachineEnd } from "../../../model/image-order.ts";
import { Field } from "./form-field.tsx";
import { messages } from "./language.ts";
import { textLengthMax, type FieldsState } from "./task-draft.ts";

export function ImageFields({ state: { draft, change, problems } }: { state: FieldsState }) {
  const words = messages.value.wizard.image;
  const problem = problems.disk === undefined ? undefined : messages.value.wizard.problems[problems.disk];
  return (
    <>
      <Field name="disk" label={words.disk} hint={words.diskHint} problem={problem}>
        {(attributes) => (
          <input
            {...attributes}
            value={draft.disk}
            maxLength={textLengthMax}
            spellcheck={false}
            autocapitalize="none"
            autocomplete="off"
            onInput={(event) => change({ disk: event.currentTarget.value })}
          />
        )}
      </Field>
      <label class="inline">
        <input
          type="checkbox"
          checked={draft.overwrite}
          onChange={(event) => change({ overwrite: event.currentTarget.checked })}
        />
        {words.overwrite}
      </label>
      <Field name="machine-end" label={words.machineEnd}>
        {(attributes) => (
          <select
            {...attributes}
            value={draft.machineEnd}
            onChange={(event) => change({ machineEnd: event.currentTarget.value as MachineEnd })}
          >
            {machineEnds.map((end) => (
              <option key={end} value={end}>
                {words.machineEnds[end]}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}
