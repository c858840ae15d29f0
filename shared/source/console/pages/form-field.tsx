/** Field of a form: its label, its hint and its error belong to it for screen readers too. */
import type { ComponentChildren } from "preact";

/** Attributes that the element of the field takes. */
export type FieldAttributes = {
  readonly id: string;
  readonly name: string;
  readonly "aria-describedby": string | undefined;
  readonly "aria-invalid": "true" | undefined;
};

export function Field({
  name,
  label,
  hint,
  problem,
  children,
}: {
  /** Unique in the page. */
  name: string;
  label: string;
  hint?: string | undefined;
  problem?: string | undefined;
  children: (attributes: FieldAttributes) => ComponentChildren;
}) {
  const described = [
    ...(problem === undefined ? [] : [`${name}-problem`]),
    ...(hint === undefined ? [] : [`${name}-hint`]),
  ];
  return (
    <div class="field">
      <label for={name}>{label}</label>
      {children({
        id: name,
        name,
        "aria-describedby": described.length === 0 ? undefined : described.join(" "),
        "aria-invalid": problem === undefined ? undefined : "true",
      })}
      {problem !== undefined && (
        <p class="field-problem" id={`${name}-problem`}>
          {problem}
        </p>
      )}
      {hint !== undefined && <small id={`${name}-hint`}>{hint}</small>}
    </div>
  );
}

/** Moves the focus to the first field with an error, once it is in the page. */
export function focusFirstProblem(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
}
