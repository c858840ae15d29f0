/** Signing key of this browser on the page of trust: its rights, import, and removal. */
import { useEffect, useState } from "preact/hooks";
import type { TrustView } from "../../../../api/schema/trust.ts";
import { ConfirmedButton, Facts, Problem, useSending } from "../elements.tsx";
import { DialogButton } from "../forms.tsx";
import { ask, RequestError } from "../request.ts";
import { may } from "../session.ts";
import { time } from "../texts.ts";
import { BrowserPlace, useSigningProblem } from "./browser-place.tsx";
import { forgetKey } from "./key-store.ts";
import type { OpenedKeys } from "./new-keys.ts";
import { MakeKeys, RecoveryForm } from "./recovery-form.tsx";
import { renewOwnFreshness } from "./sign-orders.ts";
import { believedTrust, isOperator, isPublisher, openSigner, type Signer } from "./signer.ts";
import { keyNameOf } from "./statements.ts";
import { keep } from "./take-over.ts";
import { signingMessages } from "./words.ts";

type Held = { readonly signer: Signer; readonly name: string };

export function KeyPanel({ trust, reload }: { trust: TrustView; reload: () => Promise<void> }) {
  const words = signingMessages.value;
  const problem = useSigningProblem();
  const [held, setHeld] = useState<Held | null>(null);
  const [error, setError] = useState<RequestError | null>(null);
  const look = async (): Promise<void> => {
    try {
      const signer = await openSigner();
      setHeld(signer === null ? null : { signer, name: await keyNameOf(signer.key.key) });
      setError(null);
    } catch (refusal) {
      if (!(refusal instanceof RequestError)) throw refusal;
      setError(refusal);
    }
  };
  useEffect(() => void look(), [trust.file.version]);
  const changed = async (): Promise<void> => {
    await Promise.all([look(), reload()]);
  };
  return (
    <section>
      <h2>{words.key.title}</h2>
      {error && <Problem error={error} />}
      {problem !== null && problem !== "unknown" && <p>{words.problems[problem]}</p>}
      {problem === null && (held === null ? <p>{words.key.none}</p> : <Rights held={held} />)}
      {problem === null && <Changes trust={trust} held={held} changed={changed} />}
    </section>
  );
}

function Rights({ held: { signer, name } }: { held: Held }) {
  const words = signingMessages.value.key;
  const { key, trust } = signer;
  return (
    <>
      <p>
        {words.held(name)} {isOperator(trust, key.key, Date.now()) ? words.operator : words.unlisted}{" "}
        {isPublisher(trust, key.key) && words.publisher}
      </p>
      <Facts facts={[[words.publicKey, <code>{key.key}</code>]]} />
    </>
  );
}

type ChangesOptions = { trust: TrustView; held: Held | null; changed: () => Promise<void> };

function Changes({ trust, held, changed }: ChangesOptions) {
  const words = signingMessages.value;
  // The roots are those that this source shows now; the trust file decides what the key may sign.
  const anchor = { deployment: trust.file.deployment, root: trust.root };
  const recover = async (opened: OpenedKeys): Promise<void> => {
    const known = await believedTrust(await ask<TrustView>("GET", "/v1/trust"), {
      ...opened.anchor,
      trustVersion: 0,
    });
    await keep(opened, known.version);
    await changed();
  };
  const forget = async (): Promise<void> => {
    await forgetKey();
    await changed();
  };
  return (
    <div class="buttons">
      {trust.canSign && may("POST /v1/trust/files") && (
        <DialogButton name={words.place.begin}>
          {(close) => <BrowserPlace done={() => changed().then(close)} />}
        </DialogButton>
      )}
      {!trust.canSign && (
        <DialogButton name={words.key.use}>
          {(close) => (
            <RecoveryForm submit={words.recovery.open} send={(keys) => recover(keys).then(close)}>
              <p>{words.key.useHint}</p>
            </RecoveryForm>
          )}
        </DialogButton>
      )}
      {!trust.canSign && held === null && (
        <DialogButton name={words.key.make}>
          {(close) => (
            <>
              <p>{words.key.makeHint}</p>
              <MakeKeys
                uses={["signing"]}
                anchorOf={() => Promise.resolve(anchor)}
                submit={words.recovery.make}
                finish={(keys) => recover(keys).then(close)}
              />
            </>
          )}
        </DialogButton>
      )}
      {held !== null && <Renew />}
      {held !== null && (
        <ConfirmedButton name={words.key.forget} question={words.key.askForget} send={forget} isDangerous />
      )}
    </div>
  );
}

/** Renews the word of freshness with the key of this browser. */
function Renew() {
  const words = signingMessages.value;
  const [text, setText] = useState("");
  const { error, isSending, run } = useSending(async () => {
    const untilMs = await renewOwnFreshness();
    setText(untilMs === null ? words.drafts.waiting : words.key.renewed(time(untilMs)));
  });
  return (
    <>
      <button
        type="button"
        class="secondary"
        aria-busy={isSending}
        disabled={isSending}
        onClick={() => void run()}
      >
        {words.key.fresh}
      </button>
      <span role="status">{text}</span>
      {error && <Problem error={error} />}
    </>
  );
}
