/**
 * Answer to a credential that is barred. The code tells the agent what to do: `device-removed` and
 * `device-replaced` end it, `device-cloned` lets it ask for an identity of its own.
 */
import { ApiError } from "./api-error.ts";
import type { BarredCredential, Catalog } from "./catalog/index.ts";
import type { BarCode } from "../model/enrolment.ts";

/** Time after which a credential of clones gives no more identities. */
const cloneGrantMs = 30 * 86_400_000;

const refusals: Readonly<Record<BarCode, readonly [message: string, hint: string]>> = {
  "device-removed": [
    "This device was removed from the source",
    "an administrator may enrol it again: forget, then run --enroll-file FILE",
  ],
  "device-replaced": [
    "The machine of this device was enrolled again, and the new installation has taken its place",
    "if this is another machine: forget, then run --enroll-file FILE",
  ],
  "device-cloned": [
    "Several agents use the credential of this device",
    "POST /v1/agent/enroll/clone gives each one an identity of its own",
  ],
};

/** Returns what is barred about the credential; null for an unknown one. */
export async function barCodeOf(
  { life }: Catalog,
  credentialSha256: string,
  nowMs: number,
): Promise<(BarredCredential & { readonly code: BarCode }) | null> {
  const barred = await life.barred(credentialSha256);
  if (barred === null) return null;
  if (barred.why === "replaced") return { ...barred, code: "device-replaced" };
  const mayClone = barred.why === "cloned" && nowMs - barred.atMs < cloneGrantMs;
  return { ...barred, code: mayClone ? "device-cloned" : "device-removed" };
}

export function barredError(code: BarCode): ApiError {
  const [message, hint] = refusals[code];
  return new ApiError(403, message, hint, code);
}
