/** Forms about recovery files: open one, and make keys with one that is read back. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { passwordProblem } from "../../../../model/password.ts";
import { RecoveryError, type KeyUse, type RecoveryContent } from "../../../../model/trust/recovery-file.ts";
import { Field, FieldError, FileField, Form } from "../forms.tsx";
import { newKeys, openedKeys, recoveryText, type OpenedKeys } from "./new-keys.ts";
import { signingMessages } from "./words.ts";

const [fileName, passwordName] = ["recovery", "recovery-password"];

/** @throws FieldError in the language of the viewer */
async function openedFrom(data: FormData): Promise<OpenedKeys> {
  const words = signingMessages.value.recovery;
  const file = data.get(fileName);
  if (!(file instanceof File) || file.size === 0) throw new FieldError(fileName, words.none, "viewer");
  const text = await file.slice(0, 65_536).text();
  try {
    const keys = await openedKeys(text, String(data.get(passwordName) ?? ""));
    if (keys === "unproven") throw new FieldError(fileName, words.unproven, "viewer");
    return keys;
  } catch (error) {
    if (!(error instanceof RecoveryError)) throw error;
    const field = error.code === "wrong-password" ? passwordName : fileName;
    throw new FieldError(field, words[error.code], "viewer");
  }
}

/** Form that opens a recovery file. */
export function RecoveryForm({
  submit,
  send,
  children,
}: {
  submit: string;
  send: (keys: OpenedKeys) => Promise<unknown>;
  children?: ComponentChildren;
}) {
  const words = signingMessages.value.recovery;
  return (
    <Form submit={submit} send={async (data) => send(await openedFrom(data))}>
      {children}
      <FileField name={fileName} label={words.file} accept=".json" />
      <Field name={passwordName} label={words.password} secret="current-password" />
    </Form>
  );
}

/** Link that saves a text as a file. */
export function SaveLink({ text, name, label }: { text: string; name: string; label: string }) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [text]);
  return (
    <p>
      <a role="button" href={address} download={name}>
        {label}
      </a>
    </p>
  );
}

type Made = { readonly text: string; readonly keys: readonly string[] };
type MakeOptions = {
  readonly uses: readonly KeyUse[];
  /** Deployment and roots for the file, once the public keys are known. */
  readonly anchorOf: (keys: RecoveryContent["keys"]) => Promise<Pick<RecoveryContent, "deployment" | "root">>;
  readonly submit: string;
  /** Gets the keys as they were read back from the saved file. */
  readonly finish: (keys: OpenedKeys) => Promise<unknown>;
};

/** Makes keys: their password, the file, and the proof that the saved file opens. */
export function MakeKeys({ uses, anchorOf, submit, finish }: MakeOptions) {
  const words = signingMessages.value.recovery;
  const [made, setMade] = useState<Made | null>(null);
  const heading = useId();
  const make = async (data: FormData): Promise<void> => {
    const password = String(data.get("new-recovery-password") ?? "");
    if (passwordProblem(password, "") !== null)
      throw new FieldError("new-recovery-password", words.weak, "viewer");
    if (data.get("again") !== password) throw new FieldError("again", words.differs, "viewer");
    const keys = await newKeys(uses);
    const text = await recoveryText({ ...(await anchorOf(keys)), keys }, password);
    keys.forEach(({ privateKey }) => privateKey.fill(0));
    setMade({ text, keys: keys.map(({ key }) => key) });
  };
  const check = async (opened: OpenedKeys): Promise<void> => {
    const found = new Set([opened.keys.root?.key, opened.keys.signing?.key]);
    if (!made!.keys.every((key) => found.has(key))) throw new FieldError(fileName, words.otherKeys, "viewer");
    await finish(opened);
  };
  if (made === null)
    return (
      <Form submit={submit} send={make}>
        <Field
          name="new-recovery-password"
          label={words.password}
          hint={words.newHint}
          secret="new-password"
        />
        <Field name="again" label={words.again} secret="new-password" />
      </Form>
    );
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>{words.madeTitle}</h2>
      <p role="status">{words.made}</p>
      <SaveLink text={made.text} name="flockcast-recovery.json" label={words.download} />
      <p>{words.check}</p>
      <RecoveryForm submit={words.confirm} send={check} />
    </section>
  );
}
