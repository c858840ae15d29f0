/** Start of the console in the browser: finds out who is signed in, and shows the pages. */
import { render } from "preact";
import type { CallerView } from "../../../api/schema/users.ts";
import { applyChoices } from "./language.ts";
import { ask } from "./request.ts";
import { followAddress } from "./router.ts";
import { beginSession, caller } from "./session.ts";
import { Shell } from "./shell.tsx";

async function findSession(): Promise<void> {
  // Without a cookie this answer is a refusal, which browsers report as a problem.
  try {
    beginSession(await ask<CallerView>("GET", "/v1/session"));
  } catch {
    caller.value = null;
  }
}

applyChoices();
followAddress();
void findSession();
const root = document.querySelector("#console");
if (root !== null) render(<Shell />, root);
