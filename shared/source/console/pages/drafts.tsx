/** Notice for sources without signing keys: changes of settings are drafts until signed. */
import type { TrustView } from "../../../api/schema/trust.ts";
import { Command } from "./elements.tsx";
import { messages } from "./language.ts";
import type { Loaded } from "./request.ts";
import { may } from "./session.ts";
import { count } from "./texts.ts";

export const signLine = "flockcast-source trust sign --all --operator-key FILE";

export function DraftNotice({ trust: { data } }: { trust: Loaded<TrustView> }) {
  const words = messages.value.drafts;
  if (data === null || data.canSign || !may("PATCH /v1/settings/:name")) return null;
  return (
    <div class="notice">
      <p>{words.notEmbedded}</p>
      <Command line={signLine} />
      {data.unsigned > 0 && <p role="status">{words.waiting(count(data.unsigned))}</p>}
    </div>
  );
}
