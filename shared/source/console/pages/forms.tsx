/**
 * Forms in the page or in a dialog. A value that a schema of the API refuses is shown at its field
 * before anything is sent; a refusal of the source is shown above the button.
 */
import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import * as v from "valibot";
import { labelNameSchema } from "../../../model/label-name.ts";
import { Problem } from "./elements.tsx";
import { language, messages } from "./language.ts";
import { RequestError } from "./request.ts";

/** A value that cannot be sent, and the name of its field. */
export class FieldError extends Error {
  readonly field: string;
  /** Texts of schemas and of the source are English, those of the console translated. */
  readonly wordsIn: "en" | "viewer";

  constructor(field: string, message: string, wordsIn: "en" | "viewer" = "en") {
    super(message);
    this.field = field;
    this.wordsIn = wordsIn;
  }
}

const Fault = createContext<FieldError | null>(null);

/**
 * Checks the value of a field by a schema that the source uses too.
 * @throws FieldError
 */
export function checked<S extends v.GenericSchema>(
  field: string,
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new FieldError(field, result.issues[0].message);
}

/**
 * Waits for an answer. What the source calls wrong is about the field, such as a target.
 * @param statuses of refusals that are about the field
 * @throws FieldError or RequestError
 */
export async function atField<T>(
  field: string,
  answer: Promise<T>,
  statuses: readonly number[] = [400, 422],
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof RequestError) || !statuses.includes(error.status)) throw error;
    throw new FieldError(field, [error.message, error.hint].filter((part) => part !== null).join(": "));
  }
}

export const textOf = (data: FormData, name: string): string => {
  const value = data.get(name);
  return typeof value === "string" ? value.trim() : "";
};

/**
 * Returns names that are separated by commas or spaces.
 * @throws FieldError
 */
export const namesOf = (data: FormData, name: string): string[] =>
  checked(
    name,
    v.array(labelNameSchema),
    textOf(data, name)
      .split(/[\s,]+/)
      .filter((one) => one !== ""),
  );

type FormOptions = {
  readonly submit: string;
  readonly send: (data: FormData) => Promise<unknown>;
  readonly children?: ComponentChildren;
  /** Closes the dialog of the form: after an answer, and without one. */
  readonly close?: () => void;
  readonly isDangerous?: boolean;
};

export function Form({ submit, send, children, close, isDangerous = false }: FormOptions) {
  const [fault, setFault] = useState<FieldError | null>(null);
  const [error, setError] = useState<RequestError | null>(null);
  const [isSending, setSending] = useState(false);
  const run = async (form: HTMLFormElement): Promise<void> => {
    setFault(null);
    setError(null);
    setSending(true);
    try {
      await send(new FormData(form));
      if (close === undefined) form.reset();
      else close();
    } catch (problem) {
      if (problem instanceof FieldError) {
        setFault(problem);
        form.querySelector<HTMLElement>(`[name="${problem.field}"]`)?.focus();
      } else if (problem instanceof RequestError) setError(problem);
      else throw problem;
    } finally {
      setSending(false);
    }
  };
  return (
    <form
      class="fields"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void run(event.currentTarget);
      }}
    >
      <Fault.Provider value={fault}>{children}</Fault.Provider>
      {error && <Problem error={error} />}
      <footer class="buttons">
        {close && (
          <button type="button" class="secondary" onClick={close}>
            {messages.value.close}
          </button>
        )}
        <button
          type="submit"
          class={isDangerous ? "danger" : undefined}
          aria-busy={isSending}
          disabled={isSending}
        >
          {submit}
        </button>
      </footer>
    </form>
  );
}

type FieldOptions = {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  /** Set for a secret: what the browser's password manager gives. */
  readonly secret?: "new-password" | "current-password";
};

export function Field({ name, label, hint, value = "", secret }: FieldOptions) {
  const fault = useContext(Fault);
  const id = useId();
  const isWrong = fault?.field === name;
  const about = [...(isWrong ? [`${id}-fault`] : []), ...(hint === undefined ? [] : [`${id}-hint`])];
  const shared = {
    id,
    name,
    defaultValue: value,
    autocapitalize: "none",
    spellcheck: false,
    "aria-invalid": isWrong ? true : undefined,
    "aria-describedby": about.join(" ") || undefined,
  } as const;
  return (
    <div>
      <label for={id}>{label}</label>
      {secret === undefined ? (
        <input {...shared} type="text" autocomplete="off" />
      ) : (
        <input {...shared} type="password" autocomplete={secret} />
      )}
      {isWrong && <FaultText id={`${id}-fault`} fault={fault} />}
      {hint !== undefined && <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}

/** Words of the model are English; a next step in the viewer's language follows them. */
function FaultText({ id, fault }: { id: string; fault: FieldError }) {
  const isEnglish = fault.wordsIn === "en";
  return (
    <p id={id} class="fault" role="alert">
      <span lang={isEnglish ? "en" : undefined}>{fault.message}</span>
      {isEnglish && language.value !== "en" && ` ${messages.value.nextSteps[422]}`}
    </p>
  );
}

/** Choice of a file. */
export function FileField({ name, label, accept }: { name: string; label: string; accept: string }) {
  const fault = useContext(Fault);
  const id = useId();
  const isWrong = fault?.field === name;
  return (
    <div>
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        type="file"
        accept={accept}
        aria-invalid={isWrong ? true : undefined}
        aria-describedby={isWrong ? `${id}-fault` : undefined}
      />
      {isWrong && <FaultText id={`${id}-fault`} fault={fault} />}
    </div>
  );
}

export type Options = readonly (readonly [value: string, name: string])[];

export function Select({
  name,
  label,
  options,
  value,
  onChange,
}: {
  name: string;
  label: string;
  options: Options;
  value?: string;
  onChange?: (value: string) => void;
}) {
  return (
    <label>
      {label}
      <select name={name} onChange={(event) => onChange?.(event.currentTarget.value)}>
        {options.map(([one, text]) => (
          <option key={one} value={one} selected={one === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export const Check = ({ name, label, isOn = false }: { name: string; label: string; isOn?: boolean }) => (
  <label class="inline">
    <input type="checkbox" name={name} defaultChecked={isOn} />
    {label}
  </label>
);

/** A dialog that is open while it is part of the page. */
export function Dialog({
  name,
  close,
  children,
}: {
  name: string;
  close: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={name} onClose={close}>
      <article>
        <h2>{name}</h2>
        {children}
      </article>
    </dialog>
  );
}

/** A button that opens a dialog, whose content is made each time. */
export function DialogButton({
  name,
  children,
}: {
  name: string;
  children: (close: () => void) => ComponentChildren;
}) {
  const [isOpen, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    opener.current?.focus();
  };
  return (
    <>
      <button ref={opener} type="button" class="secondary" onClick={() => setOpen(true)}>
        {name}
      </button>
      {isOpen && (
        <Dialog name={name} close={close}>
          {children(close)}
        </Dialog>
      )}
    </>
  );
}

/** A button whose dialog has a form. */
export const FormButton = ({
  name,
  submit = name,
  about,
  send,
  children,
}: {
  name: string;
  submit?: string;
  about?: string;
  send: (data: FormData) => Promise<unknown>;
  children: ComponentChildren;
}) => (
  <DialogButton name={name}>
    {(close) => (
      <>
        {about !== undefined && <p>{about}</p>}
        <Form submit={submit} send={send} close={close}>
          {children}
        </Form>
      </>
    )}
  </DialogButton>
);
