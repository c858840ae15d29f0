/** Start of the console in the browser: finds out who is signed in, and shows the pages. */
import { render } from "preact";
import type { CallerView } from "../../../api/schema/users.ts";
import type { SignInWays } from "./answers.ts";
import { nameSource } from "./command-lines.ts";
import { applyChoices } from "./language.ts";
import { ask } from "./request.ts";
import { followAddress } from "./router.ts";
import { beginSession, caller } from "./session.ts";
import { Shell } from "./shell.tsx";

async function findSession(): Promise<void> {
  try {
    const { signedIn, sourceUrl } = await ask<SignInWays>("GET", "/v1/sign-in");
    nameSource(sourceUrl);
    if (signedIn) beginSession(await ask<CallerView>("GET", "/v1/session"));
    else caller.value = null;
  } catch {
    // The sign-in page asks the source again, and shows why it does not answer.
    caller.value = null;
  }
}

followAddress();
void findSession();
await applyChoices();
const root = document.querySelector("#console");
if (root !== null) render(<Shell />, root);
