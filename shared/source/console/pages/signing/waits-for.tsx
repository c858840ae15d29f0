/** Names of the keys whose signatures an order needs. */
import { useEffect, useState } from "preact/hooks";
import type { TrustView } from "../../../../api/schema/trust.ts";
import { useLoaded } from "../request.ts";
import { count } from "../texts.ts";
import { keyNameOf } from "./statements.ts";
import { signingMessages } from "./words.ts";

export function WaitsFor() {
  const { data } = useLoaded<TrustView>("/v1/trust");
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    // Without a secure connection a browser computes no digests.
    if (data === null || !isSecureContext) return;
    void Promise.all(data.file.operators.map(({ key }) => keyNameOf(key))).then(setNames);
  }, [data]);
  if (data === null || names.length === 0) return null;
  return <p>{signingMessages.value.key.waitsFor(count(data.file.orderThreshold), names.join(", "))}</p>;
}
