/** Sign-in by a one-time link: exchanges its secret for a session, and shows the overview. */
import { useEffect, useState } from "preact/hooks";
import type { CallerView } from "../../../api/schema/users.ts";
import { Heading, Problem } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, RequestError } from "./request.ts";
import { addressOf, replaceAddress } from "./router.ts";
import { beginSession } from "./session.ts";

export function LinkPage({ secret }: { secret: string }) {
  const words = messages.value.link;
  const [error, setError] = useState<RequestError | null>(null);
  useEffect(() => {
    // The used secret stays in no history.
    ask<CallerView>("POST", "/v1/sign-in/link", { secret }).then(
      (person) => {
        replaceAddress("overview");
        beginSession(person);
      },
      (problem: unknown) => {
        if (!(problem instanceof RequestError)) throw problem;
        setError(problem);
      },
    );
  }, [secret]);
  return (
    <main id="content" class="sign-in">
      <Heading text={words.title} />
      {error === null ? (
        <p aria-busy="true">{messages.value.loading}</p>
      ) : (
        <>
          <Problem error={error} />
          <a role="button" class="wide" href={addressOf("overview")}>
            {messages.value.signIn.title}
          </a>
        </>
      )}
    </main>
  );
}
