/** Choice of the place of the signing keys, with the consequences and the commands of each. */
import type { ComponentChildren } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { TrustView } from "../../../api/schema/trust.ts";
import { sourceAddress } from "./command-lines.ts";
import { Command, Heading, Shown } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { BrowserPlace } from "./signing/browser-place.tsx";
import { storedKey } from "./signing/key-store.ts";
import { signingMessages } from "./signing/words.ts";

/** Interval at which the page asks whether the command has moved the keys. */
const everyMs = 2_000;

/** Folder of the source, as the answer of the set-up names it; unknown after a reload. */
export const dataFolder = signal("DIR");

/** Returns a word of a command line. Quotes are of the shell of the source's system. */
function quoted(path: string): string {
  if (/^[\w./:\\-]+$/.test(path)) return path;
  return path.includes("\\") ? `"${path}"` : `'${path.replaceAll("'", "'\\''")}'`;
}

const initLines = (): string =>
  [
    `export FLOCKCAST_SOURCE=${sourceAddress()}`,
    "flockcast-source trust init --out keys --roots 3 --threshold 2 --token-file admin.token",
  ].join("\n");
const places = ["source", "browser", "files"] as const;

export function KeyPlace() {
  const words = messages.value.setUp;
  const trust = useLoaded<TrustView>("/v1/trust", everyMs);
  return (
    <>
      <Heading text={words.keysTitle} />
      <Shown loaded={trust}>{({ file }) => (file.embedded ? <Choice /> : <Moved />)}</Shown>
      <a role="button" class="wide" href={addressOf("overview")}>
        {words.finish}
      </a>
    </>
  );
}

/** The keys have left the source: to this browser, or to files. */
function Moved() {
  const [isHere, setHere] = useState(false);
  useEffect(() => {
    void storedKey().then(
      (key) => setHere(key !== null),
      () => setHere(false),
    );
  }, []);
  return <p role="status">{isHere ? signingMessages.value.place.done : messages.value.setUp.moved}</p>;
}

function Choice() {
  const words = messages.value.setUp;
  const [place, setPlace] = useState<(typeof places)[number]>("source");
  return (
    <>
      <fieldset>
        <legend>{words.keysQuestion}</legend>
        {places.map((one) => (
          <label key={one}>
            <input type="radio" name="place" checked={place === one} onChange={() => setPlace(one)} />
            {one === "browser" ? signingMessages.value.place.name : words.places[one]}
          </label>
        ))}
      </fieldset>
      {place === "browser" && <BrowserPlace />}
      <div class="notice" aria-live="polite" hidden={place === "browser"}>
        {place === "source" ? (
          <Consequences texts={[words.sourceBroken, words.sourceLost]} />
        ) : (
          <Consequences texts={[words.filesBroken, words.filesLost, words.filesWork]}>
            <p>{words.exportHint}</p>
            <Command
              line={`flockcast-source trust export --data ${quoted(dataFolder.value)} --out /media/keys`}
            />
            <p>{words.initHint}</p>
            <Command line={initLines()} />
            <p>{words.waits}</p>
          </Consequences>
        )}
      </div>
    </>
  );
}

const Consequences = ({ texts, children }: { texts: readonly string[]; children?: ComponentChildren }) => (
  <>
    {texts.map((text) => (
      <p key={text}>{text}</p>
    ))}
    {children}
  </>
);
