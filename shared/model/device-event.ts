/**
 * Events in the history of a device: what happened to it, as the source noted it. Check-ins are no
 * events. Words are made where an event is shown.
 */
import * as v from "valibot";

const text = v.pipe(v.string(), v.maxLength(1_024));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const change = { before: text, after: v.nullable(text) };
/** The package is null for a task that was removed before the event was noted. */
const task = { taskId: count, package: v.nullable(text) };

export const deviceEventSchema = v.variant("kind", [
  v.object({ kind: v.literal("enrolled") }),
  v.object({ kind: v.literal("installed-again") }),
  v.object({ kind: v.literal("removed"), why: v.nullable(text) }),
  v.object({ kind: v.literal("agent-changed"), ...change }),
  v.object({ kind: v.literal("hostname-changed"), ...change }),
  v.object({ kind: v.literal("address-changed"), ...change }),
  v.object({ kind: v.literal("subnet-changed"), ...change }),
  /** The device uses a version of its own setting. */
  v.object({ kind: v.literal("setting-applied"), setting: text, version: count }),
  v.object({ kind: v.literal("task-received"), ...task }),
  v.object({ kind: v.literal("task-retried"), ...task, attempt: count }),
  v.object({ kind: v.literal("task-ended"), ...task, state: text, attempt: count }),
  v.object({ kind: v.literal("role-changed"), ...task, role: text, term: count }),
  /** The device does not obey the order of a task; `why` is a code of trust-error.ts. */
  v.object({ kind: v.literal("order-refused"), ...task, why: text }),
]);
export type DeviceEvent = v.InferOutput<typeof deviceEventSchema>;
export type DeviceEventKind = DeviceEvent["kind"];
export type DeviceEventTexts = {
  readonly [K in DeviceEventKind]: (event: Extract<DeviceEvent, { kind: K }>) => string;
};

const taskText = ({ taskId, package: name }: { taskId: number; package: string | null }): string =>
  `task ${taskId}${name === null ? "" : ` (${name})`}`;
const changeText = (what: string, { before, after }: { before: string; after: string | null }): string =>
  `${what} ${after ?? "none"} (before: ${before})`;

export const englishEvents: DeviceEventTexts = {
  enrolled: () => "enrolled",
  "installed-again": () => "installed again on the same machine",
  removed: ({ why }) => `removed${why === null || why === "removed" ? "" : ` (${why})`}`,
  "agent-changed": (event) => changeText("agent", event),
  "hostname-changed": (event) => changeText("host name", event),
  "address-changed": (event) => changeText("address", event),
  "subnet-changed": (event) => changeText("subnet", event),
  "setting-applied": ({ setting, version }) => `uses version ${version} of the setting ${setting}`,
  "task-received": (event) => `received ${taskText(event)}`,
  "task-retried": ({ attempt, ...of }) => `attempt ${attempt} of ${taskText(of)}`,
  "task-ended": ({ state, attempt, ...of }) =>
    `${taskText(of)}: ${state}${attempt > 1 ? `, attempt ${attempt}` : ""}`,
  "role-changed": ({ role, term, ...of }) =>
    role === "representative"
      ? `representative of term ${term} for ${taskText(of)}`
      : role === "peer"
        ? `peer for ${taskText(of)}`
        : `no longer representative for ${taskText(of)}`,
  "order-refused": ({ why, ...of }) => `does not obey ${taskText(of)}: ${why}`,
};

/** Returns the words of an event. */
export const eventText = (event: DeviceEvent, texts: DeviceEventTexts = englishEvents): string =>
  texts[event.kind](event as never);
