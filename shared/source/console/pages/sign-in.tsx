/** Sign-in: password, and the provider of single sign-on where one is configured. */
import { useState } from "preact/hooks";
import type { CallerView } from "../../../api/schema/users.ts";
import type { SetUpState, SignInWays } from "./answers.ts";
import { CertificateNotice } from "./certificate.tsx";
import { addUserLine } from "./command-lines.ts";
import { Command, Heading, Problem } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, RequestError, useLoaded } from "./request.ts";
import { beginSession, farewell } from "./session.ts";

export function SignInPage() {
  const words = messages.value.signIn;
  const ways = useLoaded<SignInWays>("/v1/sign-in");
  const state = useLoaded<SetUpState>("/v1/set-up").data;
  const provider = ways.data?.provider ?? null;
  return (
    <main id="content" class="sign-in">
      <Heading text={words.title} />
      {farewell.value !== null && (
        <p class="notice" role="status">
          {farewell.value === "ended" ? words.ended : words.signedOut}
        </p>
      )}
      <PasswordForm />
      {provider !== null && (
        <a role="button" class="secondary wide" href={provider.path}>
          {words.provider(new URL(provider.issuer).host)}
        </a>
      )}
      {state?.state === "open" && (
        <details>
          <summary>{words.first}</summary>
          <p>{words.firstHint}</p>
          <Command line={addUserLine()} />
        </details>
      )}
      {state !== null && <CertificateNotice {...state} />}
    </main>
  );
}

function PasswordForm() {
  const words = messages.value.signIn;
  const [error, setError] = useState<RequestError | null>(null);
  const [isSending, setSending] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    setSending(true);
    setError(null);
    try {
      const body = { user: data.get("user"), password: data.get("password") };
      beginSession(await ask<CallerView>("POST", "/v1/session", body));
    } catch (problem) {
      if (!(problem instanceof RequestError)) throw problem;
      setError(problem);
      form.querySelector<HTMLInputElement>("[name=password]")?.select();
    } finally {
      setSending(false);
    }
  };
  return (
    <>
      {error && <Problem error={error} />}
      <form onSubmit={(event) => void submit(event)}>
        <label>
          {words.user}
          <input name="user" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label>
          {words.password}
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit" aria-busy={isSending} disabled={isSending}>
          {words.submit}
        </button>
      </form>
    </>
  );
}
