/**
 * End of a device's log. A person asks for it by a button; the device sends it at its next contact,
 * and the source keeps it for an hour. Texts of devices are shown as text, with visible escapes.
 */
import { useState } from "preact/hooks";
import type { DeviceLog } from "../../../api/schema/device-detail.ts";
import { replaceHidden } from "../../../hidden-characters.ts";
import { Command, Moment, Problem, Shown, useSending } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import { may } from "./session.ts";

/** Intervals after the person has asked, and before. */
const askedEveryMs = 2_000;
const everyMs = 20_000;

/** @param path of the device in the API */
export function DeviceLogPart({ path, isConnected }: { path: string; isConnected: boolean }) {
  const words = messages.value.deviceDetails;
  const [hasAsked, setAsked] = useState(false);
  const mayRead = may("GET /v1/devices/:device/log");
  const loaded = useLoaded<DeviceLog>(mayRead ? `${path}/log` : null, hasAsked ? askedEveryMs : everyMs);
  const { error, isSending, run } = useSending(async () => {
    await ask("POST", `${path}/log`);
    setAsked(true);
    await loaded.reload();
  });
  if (!mayRead) return null;
  return (
    <section class="device-log">
      <h2>{words.log}</h2>
      <p>{words.logHint}</p>
      {error && <Problem error={error} />}
      <button
        type="button"
        class="secondary"
        aria-busy={isSending}
        disabled={isSending || loaded.data?.state === "waiting"}
        onClick={() => void run()}
      >
        {words.showLog}
      </button>
      <div aria-live="polite">
        <Shown loaded={loaded}>{(log) => <LogState log={log} isConnected={isConnected} />}</Shown>
      </div>
    </section>
  );
}

function LogState({ log, isConnected }: { log: DeviceLog; isConnected: boolean }) {
  const words = messages.value.deviceDetails;
  const { state, takenAtMs, removedAtMs, lines } = log;
  if (state === "none") return null;
  if (state === "waiting") return <p>{isConnected ? words.logWaits : words.logWaitsOffline}</p>;
  if (state === "refused") return <p>{words.logRefused}</p>;
  return (
    <>
      <p>
        {words.logTaken} <Moment atMs={takenAtMs ?? 0} />. {words.logRemoved}{" "}
        <Moment atMs={removedAtMs ?? 0} />.
      </p>
      {lines.length === 0 ? <p>{words.logEmpty}</p> : <Command line={lines.map(lineText).join("\n")} />}
    </>
  );
}

const hex = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`;
const visible = (text: string): string => replaceHidden(text, hex);

/** Returns a line of the log as people read it; one that is not JSON as it is. */
function lineText(line: string): string {
  try {
    const { time, level, name: _name, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return visible([time, level, msg, ...rest].filter((part) => part !== undefined).join(" "));
  } catch {
    return visible(line);
  }
}
