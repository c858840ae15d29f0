/**
 * The words of reasons: one table, by code. A row has the schema of its parameters, a function from
 * parameters to words, and the form in which the words follow those of the reason before it. Texts
 * of the operating system, of web sites and of commands are parameters.
 */
import * as v from "valibot";
import { formatDuration, formatRate } from "./quantity.ts";

/** `cause`: explains the reason before it, and is shown in brackets. `detail`: continues it. */
export type Form = "sentence" | "cause" | "detail";
export type ReasonRow<E extends v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<E, undefined>;
  readonly text: (parameters: v.InferOutput<v.ObjectSchema<E, undefined>>) => string;
  readonly form: Form;
};
const row = <const E extends v.ObjectEntries>(
  entries: E,
  text: (parameters: v.InferOutput<v.ObjectSchema<E, undefined>>) => string,
  form: Form = "sentence",
): ReasonRow<E> => ({ schema: v.object(entries), text, form });
/** A row whose words have no parameter. */
const words = (text: string, form: Form = "sentence") => row({}, () => text, form);

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const taskId = count;
const bytes = count;
const exitCode = v.nullable(v.number());
const timeMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8.64e15));
const durationMs = v.pipe(v.number(), v.minValue(0));

const timeText = (atMs: number): string => new Date(atMs).toISOString();
/** Rounded up: "in 0s" would be over already. */
const waitText = (ms: number): string => formatDuration(Math.ceil(ms / 1_000) * 1_000);
const countText = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`;
const codeText = (code: number | null): string =>
  `the command ended with exit code ${code ?? "none (killed)"}`;
/** Text on the last line of a command's output, and where the rest is. */
const outputText = (line: string, id: number): string =>
  line === "" ? ": it has written nothing" : `: "${line}" (output: tasks/${id}.log)`;

/** @param programs names with commas; empty: not programs keep the command from beginning */
const obstacleText = (programs: string): string =>
  programs === "" ? "a user is active" : `${programs} ${programs.includes(",") ? "run" : "runs"}`;

/** Formats a share; neither "0 %" for some bytes nor "100 %" for less than all. */
function shareText(share: number): string {
  if (share < 0.01) return "<1 %";
  return `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`;
}

const origins = [
  ["multicast", "multicast"],
  ["peers", "from peers"],
  ["wan", "over the WAN"],
  ["cache", "without the network"],
] as const;
type OriginBytes = Record<(typeof origins)[number][0], number>;

function completeText({ totalBytes, ...from }: OriginBytes & { readonly totalBytes: number }): string {
  const parts = origins
    .filter(([origin]) => from[origin] > 0)
    .map(([origin, name]) => `${shareText(from[origin] / Math.max(1, totalBytes))} ${name}`);
  return parts.length === 0 ? "complete" : `complete: ${parts.join(", ")}`;
}

type Audience = { readonly peers: number; readonly unicast: number };
const audienceText = ({ peers, unicast }: Audience): string =>
  `${countText(peers, "peer")}${unicast > 0 ? ` (${unicast} more by unicast)` : ""}`;
const audience = { peers: count, unicast: count };

/** By code, in the order of a task's life. */
export const reasonTable = {
  // ---- before the download
  "not-reported": words("the device has not reported yet"),
  "not-retried": words("the device has not begun the next attempt yet"),
  "starts-at": row({ atMs: timeMs }, ({ atMs }) => `starts at ${timeText(atMs)}`),
  paused: words("paused by the administrator"),
  "gets-manifest": words("gets the manifest"),
  "waits-for-fetch": row(
    { taskId },
    ({ taskId: other }) => `waits for task ${other}, which fetches the same package`,
  ),
  "changes-subnet": row({ detail: text }, ({ detail }) => detail),
  // ---- the session
  "no-session": row({ why: text }, ({ why }) => why),
  seeks: words("looks for a session on this subnet"),
  represents: row({ term: count }, ({ term }) => `representative of term ${term}`),
  "still-represents": row({ term: count }, ({ term }) => `still representative of term ${term}`),
  "serves-by-setting": row(
    { peers: count },
    ({ peers }) => `serves ${countText(peers, "peer")} by LAN unicast (useMulticast=false)`,
    "detail",
  ),
  "serves-by-unicast": row(
    { peers: count },
    ({ peers }) =>
      `serves ${countText(peers, "peer")} by LAN unicast, as none of them takes part in the multicast`,
    "detail",
  ),
  "multicast-starts": row(
    { ...audience, inMs: durationMs, downloads: v.boolean() },
    ({ inMs, downloads, ...to }) =>
      `${downloads ? "downloads, " : ""}multicast to ${audienceText(to)} starts in ${waitText(inMs)}`,
    "detail",
  ),
  multicasts: row(
    {
      ...audience,
      percent: count,
      rateBps: count,
      lossPermille: v.nullable(count),
      queuedMs: v.nullable(v.number()),
    },
    ({ percent, rateBps, lossPermille, queuedMs, ...to }) =>
      `multicast ${percent} % to ${audienceText(to)} at ${formatRate(rateBps)}` +
      (lossPermille === null || lossPermille === 0 ? "" : `, median loss ${lossPermille / 10} %`) +
      (queuedMs === null ? "" : `, yields to other traffic: queuing delay ${queuedMs} ms`),
    "detail",
  ),
  "multicast-stands": row(
    { percent: count },
    ({ percent }) => `multicast stands at ${percent} %, as no device of this subnet is missing chunks`,
    "detail",
  ),
  "serves-repairs": row(
    audience,
    (to) => `multicast is over, serves repairs to ${audienceText(to)}`,
    "detail",
  ),
  "downloads-alone": words("no device of this subnet can be reached: downloads itself"),
  "download-note": row({ detail: text }, ({ detail }) => `download ${detail}`),
  "download-waits-for-lease": words(
    "download paused: the source is silent, and another device may hold the lease",
  ),
  "awaits-claimant": row(
    { device: text },
    ({ device }) => `waits for representative ${device}, which claimed the session`,
  ),
  "awaits-lease-holder": row(
    { device: text },
    ({ device }) => `waits for an announcement of representative ${device}, which holds the lease`,
  ),
  "awaits-multicast": row(
    { device: text, inMs: durationMs },
    ({ device, inMs }) => `waits for representative ${device}: multicast starts in ${waitText(inMs)}`,
  ),
  "awaits-multicast-asks": row(
    { device: text },
    ({ device }) =>
      `waits for representative ${device} to begin its multicast, asks it by LAN unicast meanwhile`,
  ),
  receives: row({ device: text }, ({ device }) => `receives multicast from representative ${device}`),
  "too-slow": row(
    { device: text, lossPercent: count },
    ({ device, lossPercent }) =>
      `is too slow for the multicast of representative ${device} (loses ${lossPercent} %): completes from its peers after the end`,
  ),
  "takes-unicast": row(
    { device: text },
    ({ device }) => `takes chunks from representative ${device} and others by LAN unicast`,
  ),
  repairs: words("asks other devices for the parts it missed"),
  // ---- why chunks do not come by multicast
  "no-group": words("this device could not join the group", "cause"),
  "multicast-off": words("the setting is useMulticast=false", "cause"),
  wireless: words("on a wireless interface, where multicast is slow and lossy", "cause"),
  "data-not-received": row(
    { group: text, packetBytes: bytes },
    ({ group, packetBytes }) =>
      `announcements are received on ${group}, multicast data in packets of ${packetBytes} bytes is not: look for a rate limit or a filter of multicast, or a smaller MTU on the way`,
    "cause",
  ),
  oversized: row(
    { group: text, packetBytes: bytes, passBytes: bytes },
    ({ group, packetBytes, passBytes }) =>
      `the representative sends packets of ${packetBytes} bytes on ${group}, and the MTU of this interface lets ${passBytes} bytes pass`,
    "cause",
  ),
  "not-heard": row(
    { group: text },
    ({ group }) =>
      `the representative does not receive this device on ${group}: its firewall or switch port seems to drop multicast`,
    "cause",
  ),
  stuck: row(
    { group: text },
    ({ group }) =>
      `everything was multicast on ${group}, and the repairs complete no chunk here: this device cannot keep up, or a device sends wrong symbols`,
    "cause",
  ),
  "own-frames-lost": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group}, not even this device's own frames: its firewall seems to block inbound UDP`,
    "cause",
  ),
  "representative-pruned": row(
    { group: text },
    ({ group }) =>
      `the representative is no longer received on ${group}, other devices are: the switch seems to prune the group, turn on an IGMP querier`,
    "cause",
  ),
  "representative-dropped": row(
    { group: text },
    ({ group }) =>
      `other devices are received on ${group}, the representative is not: its switch port or firewall seems to drop multicast`,
    "cause",
  ),
  "group-pruned": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group} any more: the switch seems to prune the group, turn on an IGMP querier`,
    "cause",
  ),
  "group-silent": row(
    { group: text },
    ({ group }) =>
      `nothing is received on ${group}: the switch seems to drop multicast, or to prune the group because there is no IGMP querier`,
    "cause",
  ),
  "was-representative": words("representative", "cause"),
  "held-by-others": words("other devices held it already", "cause"),
  "subnet-unreachable": words("no device of its subnet could be reached", "cause"),
  "joined-after-multicast": words("joined after the multicast", "cause"),
  "joined-late": row(
    { share: v.number() },
    ({ share }) => `joined late, ${shareText(share)} had been multicast`,
    "cause",
  ),
  "was-standby": words("kept a second copy before the multicast began", "cause"),
  "disk-slow": words("missed parts of the multicast: its disk was too slow", "cause"),
  "buffer-full": words("missed parts of the multicast: its receive buffer was full", "cause"),
  "symbols-lost": words("missed parts of the multicast", "cause"),
  "fetched-by-other-task": words("fetched by another task", "cause"),
  "was-cached": words("already in the cache", "cause"),
  // ---- the package on the disk
  verifies: words("reads the package back from the disk"),
  "files-wrong": row(
    { paths: text, pathCount: count, package: text, times: count, timesMax: count },
    ({ paths, pathCount, package: title, times, timesMax }) =>
      `${paths || "parts"} of ${title} ${pathCount > 1 ? "were" : "was"} wrong when read back from the disk` +
      (times < timesMax
        ? ": fetched again (check the disk, and what else changes files there)"
        : `, ${timesMax} times: a virus scanner or a clean-up program seems to change or remove it. ` +
          "Exclude the cache's folder from it, then create the task again"),
  ),
  // ---- the command
  "awaits-window": row(
    { schedule: text, untilMs: timeMs, isDeadline: v.boolean() },
    ({ schedule, untilMs, isDeadline }) =>
      isDeadline
        ? `waits for its window: ${schedule}; begins at its deadline ${timeText(untilMs)}`
        : `waits for its window: ${schedule}; the next one begins at ${timeText(untilMs)}`,
  ),
  "awaits-absence": row(
    { programs: text, deadlineAtMs: v.nullable(timeMs) },
    ({ programs, deadlineAtMs }) =>
      `waits while ${obstacleText(programs)}` +
      (deadlineAtMs === null ? "" : `; begins at its deadline ${timeText(deadlineAtMs)} at the latest`),
  ),
  deferred: row(
    { deferral: count, of: count, untilMs: timeMs, programs: text },
    ({ deferral, of, untilMs, programs }) =>
      `deferral ${deferral} of ${of}, asks again at ${timeText(untilMs)}; ${obstacleText(programs)}`,
  ),
  "awaits-command": row({ taskId }, ({ taskId: other }) => `waits for the command of task ${other}`),
  "awaits-success": row(
    { taskId },
    ({ taskId: other }) => `waits for task ${other}, which has to succeed first`,
  ),
  "predecessor-failed": row(
    { taskId },
    ({ taskId: other }) =>
      `waits for task ${other}, which has to succeed first and has failed on this device: try it again, or cancel both`,
  ),
  "awaits-reboot-of": row(
    { taskId },
    ({ taskId: other }) => `waits for task ${other}, which is complete after a restart of the machine`,
  ),
  detects: words("checks whether the package is already there"),
  "awaits-installer": row(
    { exitCode, run: count, runsMax: count, inMs: durationMs },
    ({ exitCode: code, run, runsMax, inMs }) =>
      `another installer is busy (exit code ${code}): run ${run} of ${runsMax} in ${waitText(inMs)}`,
  ),
  runs: row({ run: count }, ({ run }) => (run > 1 ? `runs the command, run ${run}` : "runs the command")),
  // ---- ends
  complete: row(
    { multicast: bytes, peers: bytes, wan: bytes, cache: bytes, totalBytes: bytes },
    completeText,
  ),
  "reboot-needed": row({ exitCode }, ({ exitCode: code }) => `reboot needed: ${codeText(code)}`),
  rebooted: words("the machine was restarted after the command"),
  "already-there": words("already there: the command detect ended with exit code 0"),
  "timed-out": row(
    { limitMs: durationMs, line: text, taskId },
    ({ limitMs, line, taskId: id }) =>
      `the command ran longer than ${limitMs / 1_000} s and was ended${outputText(line, id)}`,
  ),
  "busy-to-the-end": row(
    { exitCode, runs: count, line: text, taskId },
    ({ exitCode: code, runs, line, taskId: id }) =>
      `${codeText(code)}, which means busy, at each of ${runs} runs${outputText(line, id)}`,
  ),
  "command-failed": row(
    { exitCode, line: text, taskId },
    ({ exitCode: code, line, taskId: id }) => `${codeText(code)}${outputText(line, id)}`,
  ),
  "outcome-unknown": words(
    "the outcome of the command is unknown: the machine was restarted or the command was killed while it ran",
  ),
  "row-lost": words(
    "this device cannot read what it noted about the task, so its command is not run again: task retry repeats it",
  ),
  "no-command": row(
    { name: text, os: text },
    ({ name, os }) =>
      `the package has no command "${name}" for ${os}: publish a version that has one, or target other devices`,
  ),
  "higher-version-ran": row(
    { version: text, taskId },
    ({ version, taskId: id }) =>
      `version ${version} has run on this device (task ${id}), which is higher: --allow-downgrade runs the lower one`,
  ),
  "higher-version-runs": row(
    { version: text, taskId },
    ({ version, taskId: id }) => `task ${id} runs the same command of version ${version}`,
  ),
  expired: words("the task expired before this device began it"),
  withdrawn: words(
    "the source withdrew the task: it was cancelled, has expired, a higher version runs instead, or its target changed",
  ),
  killed: words("cancelled by the administrator, who had the command ended"),
  /** A text of the system, a web site or the source. */
  problem: row({ detail: text }, ({ detail }) => detail),
} as const;
