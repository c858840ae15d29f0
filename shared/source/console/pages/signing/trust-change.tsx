/** Root approval: changes of the trust file, in words, with the signature of a recovery file. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as v from "valibot";
import { signedSchema, trustKeySchema } from "../../../../model/trust/statement.ts";
import { Problem, useSending } from "../elements.tsx";
import { DialogButton, Field, FieldError, FileField, Form, Select, textOf } from "../forms.tsx";
import { messages } from "../language.ts";
import { count } from "../texts.ts";
import { RecoveryForm, SaveLink } from "./recovery-form.tsx";
import {
  approve,
  changesOf,
  endKey,
  givenDraft,
  listKey,
  propose,
  type Approval,
  type Change,
  type ListedRole,
  type Proposal,
} from "./trust-versions.ts";
import { signingMessages } from "./words.ts";

const roles = ["operator", "publisher", "root"] as const satisfies readonly ListedRole[];

export function TrustChanges({ reload }: { reload: () => Promise<void> }) {
  const words = signingMessages.value.trust;
  const { trust } = messages.value;
  return (
    <div class="buttons" role="group" aria-label={words.change}>
      <Changing name={words.list} changeOf={listed} reload={reload}>
        <Field name="key" label={words.key} />
        <Select name="role" label={words.role} options={roles.map((one) => [one, trust.roleNames[one]])} />
      </Changing>
      <Changing name={words.end} changeOf={ended} reload={reload}>
        <Field name="key" label={words.key} hint={words.endHint} />
      </Changing>
      <Changing name={words.draft} changeOf={drafted} reload={reload}>
        <p>{words.draftHint}</p>
        <FileField name="draft" label={words.draftFile} accept=".json" />
      </Changing>
    </div>
  );
}

async function listed(data: FormData): Promise<Change> {
  const key = textOf(data, "key").toLowerCase();
  if (!v.is(trustKeySchema, key))
    throw new FieldError("key", signingMessages.value.problems.notKey, "viewer");
  return listKey(key, roles.find((one) => one === data.get("role")) ?? "operator");
}

const ended = async (data: FormData): Promise<Change> => endKey(textOf(data, "key").toLowerCase());

async function drafted(data: FormData): Promise<Change> {
  const file = data.get("draft");
  try {
    const text = file instanceof File ? await file.slice(0, 4_000_000).text() : "";
    return givenDraft(v.parse(signedSchema, JSON.parse(text)));
  } catch {
    throw new FieldError("draft", signingMessages.value.problems.notDraft, "viewer");
  }
}

type ChangingOptions = {
  name: string;
  changeOf: (data: FormData) => Promise<Change>;
  reload: () => Promise<void>;
  children: ComponentChildren;
};

const Changing = ({ name, changeOf, reload, children }: ChangingOptions) => (
  <DialogButton name={name}>
    {() => (
      <Steps name={name} changeOf={changeOf} reload={reload}>
        {children}
      </Steps>
    )}
  </DialogButton>
);

/** First the change, then the root key, then the words and the signature. */
function Steps({ name, changeOf, reload, children }: ChangingOptions) {
  const words = signingMessages.value;
  const [change, setChange] = useState<{ readonly make: Change } | null>(null);
  const [proposal, setProposal] = useState<Proposal | null>(null);
  if (proposal !== null) return <Approving proposal={proposal} reload={reload} />;
  if (change !== null)
    return (
      <RecoveryForm
        key="root"
        submit={words.recovery.open}
        send={async (keys) => setProposal(await propose(change.make, keys))}
      >
        <p>{words.trust.openRoot}</p>
      </RecoveryForm>
    );
  return (
    <Form key="change" submit={name} send={async (data) => setChange({ make: await changeOf(data) })}>
      {children}
    </Form>
  );
}

function Approving({ proposal, reload }: { proposal: Proposal; reload: () => Promise<void> }) {
  const words = signingMessages.value.trust;
  const [changes, setChanges] = useState<Awaited<ReturnType<typeof changesOf>> | null>(null);
  const [approval, setApproval] = useState<Approval | null>(null);
  useEffect(() => void changesOf(proposal).then(setChanges), [proposal]);
  const { error, isSending, run } = useSending(async () => {
    setApproval(await approve(proposal));
    await reload();
  });
  const version = count(proposal.next.version);
  if (approval !== null)
    return (
      <>
        <p role="status">
          {approval.missing === 0 ? words.stored(version) : words.missing(count(approval.missing))}
        </p>
        {approval.missing > 0 && (
          <SaveLink
            text={`${JSON.stringify(approval.signed, null, 1)}\n`}
            name="flockcast-trust-draft.json"
            label={words.saveDraft}
          />
        )}
      </>
    );
  if (changes === null) return <p aria-busy="true">{messages.value.loading}</p>;
  const isSame = changes.taken.length + changes.added.length === 0;
  return (
    <>
      <p>{words.words(version)}</p>
      {isSame && <p>{words.nothing}</p>}
      <ul class="plain">
        {changes.taken.map((line) => (
          <li key={`- ${line}`}>{`${words.takes}: ${line}`}</li>
        ))}
        {changes.added.map((line) => (
          <li key={`+ ${line}`}>{`${words.adds}: ${line}`}</li>
        ))}
      </ul>
      {error && <Problem error={error} />}
      <div class="buttons">
        <button type="button" aria-busy={isSending} disabled={isSending} onClick={() => void run()}>
          {words.sign}
        </button>
      </div>
    </>
  );
}
