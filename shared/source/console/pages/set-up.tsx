/**
 * Set-up of a new source by the link in its log: the first administrator, then the place of the
 * signing keys.
 */
import { useState } from "preact/hooks";
import type { SetUpDone } from "../../../api/schema/users.ts";
import { passwordCharactersMin, passwordProblem } from "../../../model/password.ts";
import type { SetUpState } from "./answers.ts";
import { CertificateNotice } from "./certificate.tsx";
import { Heading, Problem, Shown } from "./elements.tsx";
import { dataFolder, KeyPlace } from "./key-place.tsx";
import { messages } from "./language.ts";
import { ask, RequestError, useLoaded } from "./request.ts";
import { addressOf, replaceAddress } from "./router.ts";
import { beginSession, caller } from "./session.ts";
import { count } from "./texts.ts";

export function SetUpPage({ secret }: { secret: string | null }) {
  const isSignedIn = caller.value !== null;
  return (
    <main id="content" class={isSignedIn ? "set-up" : "sign-in"} key={isSignedIn ? "keys" : "user"}>
      {isSignedIn ? <KeyPlace /> : <FirstUser secret={secret ?? ""} />}
    </main>
  );
}

function FirstUser({ secret }: { secret: string }) {
  const words = messages.value.setUp;
  const state = useLoaded<SetUpState>("/v1/set-up");
  return (
    <>
      <Heading text={words.title} />
      <Shown loaded={state}>
        {(found) =>
          found.state === "done" ? (
            <>
              <p class="notice" role="status">
                {words.done}
              </p>
              <a role="button" class="wide" href={addressOf("overview")}>
                {messages.value.signIn.title}
              </a>
            </>
          ) : (
            <>
              {found.isSafe && <UserForm secret={secret} reload={state.reload} />}
              <CertificateNotice {...found} />
            </>
          )
        }
      </Shown>
    </>
  );
}

/** Marks a password against the rules, and the repeated password until it is the first one. */
function compare(form: HTMLFormElement): void {
  const words = messages.value.setUp;
  const field = (name: string) => form.querySelector<HTMLInputElement>(`[name=${name}]`)!;
  const [password, again] = [field("password"), field("again")];
  const isRefused = password.value !== "" && passwordProblem(password.value, field("user").value) !== null;
  password.setCustomValidity(isRefused ? words.refused(words.rules(count(passwordCharactersMin))) : "");
  again.setCustomValidity(again.value === password.value ? "" : words.differs);
}

function UserForm({ secret, reload }: { secret: string; reload: () => Promise<void> }) {
  const words = messages.value.setUp;
  const [error, setError] = useState<RequestError | null>(null);
  const [isSending, setSending] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    setSending(true);
    setError(null);
    try {
      const body = { secret, name: data.get("user"), password: data.get("password") };
      const person = await ask<SetUpDone>("POST", "/v1/set-up", body);
      // The used secret stays in no history.
      replaceAddress("set-up");
      dataFolder.value = person.dataFolder;
      beginSession(person);
    } catch (problem) {
      if (!(problem instanceof RequestError)) throw problem;
      setError(problem);
      // Another window was faster.
      if (problem.status === 409) await reload();
    } finally {
      setSending(false);
    }
  };
  return (
    <>
      <p>{words.intro}</p>
      {error && <Problem error={error} />}
      <form onSubmit={(event) => void submit(event)} onInput={(event) => compare(event.currentTarget)}>
        <label>
          {messages.value.signIn.user}
          <input name="user" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label>
          {messages.value.signIn.password}
          <input
            name="password"
            type="password"
            autocomplete="new-password"
            aria-describedby="rules"
            required
          />
        </label>
        <ul id="rules">
          {words.rules(count(passwordCharactersMin)).map((rule) => (
            <li key={rule}>{rule}</li>
          ))}
        </ul>
        <label>
          {words.again}
          <input name="again" type="password" autocomplete="new-password" required />
        </label>
        <button type="submit" aria-busy={isSending} disabled={isSending}>
          {words.submit}
        </button>
      </form>
    </>
  );
}
