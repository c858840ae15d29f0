/** Notice for sources without signing keys: a change is a draft until a person signs it. */
import { useEffect, useState } from "preact/hooks";
import type { TrustView } from "../../../api/schema/trust.ts";
import { Command } from "./elements.tsx";
import { messages } from "./language.ts";
import type { Loaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { storedKey } from "./signing/key-store.ts";
import { signingMessages } from "./signing/words.ts";
import { count } from "./texts.ts";

export const signLine = "flockcast-source trust sign --all --operator-key FILE";

export function DraftNotice({ trust: { data } }: { trust: Loaded<TrustView> }) {
  const words = messages.value.drafts;
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    void storedKey().then(
      (key) => setHeld(key !== null),
      () => setHeld(false),
    );
  }, []);
  if (data === null || data.canSign || !may("PATCH /v1/settings/:name")) return null;
  return (
    <div class="notice">
      {isHeld ? <p>{signingMessages.value.drafts.byBrowser}</p> : <p>{words.notEmbedded}</p>}
      {!isHeld && <Command line={signLine} />}
      {data.unsigned > 0 && <p role="status">{words.waiting(count(data.unsigned))}</p>}
      {data.unsigned > 0 && <a href={addressOf("trust")}>{signingMessages.value.drafts.toTrust}</a>}
    </div>
  );
}
