/** Command `trust show`: the keys of the verified trust file, and how fresh the source is. */
import {
  checkOrder,
  keyName,
  rootFingerprint,
  TrustError,
  type Freshness,
  type Signed,
  type TrustFile,
} from "../../model/trust/index.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { print, printJson, printTable } from "./print.ts";
import { trustOf } from "./signing.ts";
import { operatorScope, publisherScope } from "./trust-review.ts";

export async function showTrust(options: JsonOptions): Promise<void> {
  const client = await connect(options);
  const { freshness, unsigned } = await client.trust();
  const file = await trustOf(client);
  // The signed file and statement tell, not the source.
  const fingerprint = rootFingerprint(file.root);
  const canSign = file.embedded;
  const fresh = freshness === null ? null : verifiedFreshness(file, freshness);
  if (options.json)
    return printJson({ ...file, fingerprint, canSign, freshUntilMs: fresh?.expiresAtMs ?? null, unsigned });
  print(`version ${file.version} of ${new Date(file.issuedAtMs).toISOString()}, roots ${fingerprint}`);
  print(
    canSign
      ? "embedded: the source holds the keys, and whoever owns the source owns the devices (trust export)"
      : "the keys are not on the source",
  );
  print(`fresh: ${freshText(fresh?.expiresAtMs ?? null, Date.now())}`);
  if (unsigned > 0)
    print(`not signed: ${unsigned} of the open tasks and settings (trust sign --all --operator-key FILE)`);
  print("");
  printTable(
    ["ROLE", "KEY", "PUBLIC KEY", "SCOPE"],
    [
      ...file.root.keys.map((key) => [
        "root",
        keyName(key),
        key,
        `${file.root.threshold} of ${file.root.keys.length}`,
      ]),
      ...file.publishers.map((one) => ["publisher", keyName(one.key), one.key, publisherScope(one)]),
      ...file.operators.map((one) => ["operator", keyName(one.key), one.key, operatorScope(one)]),
    ],
  );
}

/** Returns until when the operators' word counts; null: there is none that counts. */
export function freshText(untilMs: number | null, nowMs: number): string {
  const remedy = "(trust sign --fresh --operator-key FILE)";
  if (untilMs === null) return `no, an operator has to say that nothing is kept back ${remedy}`;
  const until = new Date(untilMs).toISOString();
  return untilMs > nowMs ? `until ${until}` : `no, STALE since ${until} ${remedy}`;
}

function verifiedFreshness(trust: TrustFile, signed: Signed): Freshness | null {
  try {
    return checkOrder("freshness", signed, { trust, nowMs: Date.now(), device: null });
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}
