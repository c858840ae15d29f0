/**
 * The words of reasons in English: one table, by code (reason-row.ts). Texts of the operating
 * system, of web sites and of commands are parameters. Other languages have tables of the words
 * alone (`ReasonTexts` of reason.ts).
 */
import * as v from "valibot";
import { deliveryCauses } from "./delivery-causes.ts";
import { imageReasons } from "./image-reasons.ts";
import { guardReasons } from "./guard-reasons.ts";
import type { Quantities } from "./quantities.ts";
import { row, words } from "./reason-row.ts";

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const taskId = count;
const bytes = count;
const exitCode = v.nullable(v.number());
const timeMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8.64e15));
const durationMs = v.pipe(v.number(), v.minValue(0));

/** Rounded up: "in 0s" would be over already. */
export const wholeSecondsMs = (ms: number): number => Math.ceil(ms / 1_000) * 1_000;
const countText = (value: number, one: string, { number }: Quantities): string =>
  `${number(value)} ${one}${value === 1 ? "" : "s"}`;
const codeText = (code: number | null): string =>
  `the command ended with exit code ${code ?? "none (killed)"}`;
/** Text on the last line of a command's output, and where the rest is. */
const outputText = (line: string, id: number): string =>
  line === "" ? ": it has written nothing" : `: "${line}" (output: tasks/${id}.log)`;

/** @param programs names with commas; empty: not programs keep the command from beginning */
const obstacleText = (programs: string): string =>
  programs === "" ? "a user is active" : `${programs} ${programs.includes(",") ? "run" : "runs"}`;

const origins = [
  ["multicast", "multicast"],
  ["peers", "from peers"],
  ["wan", "over the WAN"],
  ["cache", "without the network"],
] as const;
type OriginBytes = Record<(typeof origins)[number][0], number>;

function completeText(
  { totalBytes, ...from }: OriginBytes & { readonly totalBytes: number },
  { share }: Quantities,
): string {
  const parts = origins
    .filter(([origin]) => from[origin] > 0)
    .map(([origin, name]) => `${share(from[origin] / Math.max(1, totalBytes))} ${name}`);
  return parts.length === 0 ? "complete" : `complete: ${parts.join(", ")}`;
}

type Audience = { readonly peers: number; readonly unicast: number };
const audienceText = ({ peers, unicast }: Audience, quantities: Quantities): string =>
  `${countText(peers, "peer", quantities)}${unicast > 0 ? ` (${quantities.number(unicast)} more by unicast)` : ""}`;
const audience = { peers: count, unicast: count };

/** By code, in the order of a task's life. */
export const reasonTable = {
  // ---- before the download
  "not-reported": words("the device has not reported yet"),
  "not-retried": words("the device has not begun the next attempt yet"),
  "wake-asked": row({ by: text }, ({ by }) => `asked to wake it: ${by}`),
  "wake-sent": row(
    { by: text, atMs: timeMs },
    ({ by, atMs }, { time }) => `${by} sent it a wake-up packet at ${time(atMs)}`,
  ),
  woken: row({ by: text, atMs: timeMs }, ({ by, atMs }, { time }) => `woken by ${by} at ${time(atMs)}`),
  awake: row(
    { atMs: timeMs },
    ({ atMs }, { time }) => `checked in at ${time(atMs)}, and no wake-up packet is known`,
  ),
  "did-not-wake": row(
    { by: text, attempts: count, atMs: timeMs },
    ({ by, attempts, atMs }, quantities) =>
      `did not wake: ${countText(attempts, "attempt", quantities)}, the last one by ${by} at ${quantities.time(atMs)}`,
  ),
  "wake-not-sent": row(
    { by: text, attempts: count },
    ({ by, attempts }, quantities) =>
      `not woken: no packet was sent in ${countText(attempts, "attempt", quantities)}, asked the last time: ${by}`,
  ),
  "no-waker": words("not woken: no device of its subnet is awake and may wake it"),
  "no-wake-address": words("not woken: its last inventory has no address of a network card on a subnet"),
  "wake-forbidden": words("not woken: its setting says wakeOnLan=never"),
  "starts-at": row({ atMs: timeMs }, ({ atMs }, { time }) => `starts at ${time(atMs)}`),
  "order-refused": row({ why: text, detail: text }, ({ detail }) => `the device does not obey: ${detail}`),
  paused: words("paused by the administrator"),
  "gets-manifest": words("gets the manifest"),
  "waits-for-fetch": row(
    { taskId },
    ({ taskId: other }) => `waits for task ${other}, which fetches the same package`,
  ),
  "changes-subnet": row({ detail: text }, ({ detail }) => detail),
  ...guardReasons,
  // ---- the session
  "no-session": row({ why: text }, ({ why }) => why),
  seeks: words("looks for a session on this subnet"),
  represents: row({ term: count }, ({ term }) => `representative of term ${term}`),
  "still-represents": row({ term: count }, ({ term }) => `still representative of term ${term}`),
  "serves-by-setting": row(
    { peers: count },
    ({ peers }, quantities) =>
      `serves ${countText(peers, "peer", quantities)} by LAN unicast (useMulticast=false)`,
    "detail",
  ),
  "serves-by-unicast": row(
    { peers: count },
    ({ peers }, quantities) =>
      `serves ${countText(peers, "peer", quantities)} by LAN unicast, as none of them takes part in the multicast`,
    "detail",
  ),
  "multicast-starts": row(
    { ...audience, inMs: durationMs, downloads: v.boolean() },
    ({ inMs, downloads, ...to }, quantities) =>
      `${downloads ? "downloads, " : ""}multicast to ${audienceText(to, quantities)} starts in ` +
      quantities.duration(wholeSecondsMs(inMs)),
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
    ({ percent, rateBps, lossPermille, queuedMs, ...to }, quantities) => {
      const { number, rate } = quantities;
      return (
        `multicast ${percent} % to ${audienceText(to, quantities)} at ${rate(rateBps)}` +
        (lossPermille === null || lossPermille === 0 ? "" : `, median loss ${number(lossPermille / 10)} %`) +
        (queuedMs === null ? "" : `, yields to other traffic: queuing delay ${number(queuedMs)} ms`)
      );
    },
    "detail",
  ),
  "multicast-stands": row(
    { percent: count },
    ({ percent }) => `multicast stands at ${percent} %, as no device of this subnet is missing chunks`,
    "detail",
  ),
  "serves-repairs": row(
    audience,
    (to, quantities) => `multicast is over, serves repairs to ${audienceText(to, quantities)}`,
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
    ({ device, inMs }, { duration }) =>
      `waits for representative ${device}: multicast starts in ${duration(wholeSecondsMs(inMs))}`,
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
  ...deliveryCauses,
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
    ({ schedule, untilMs, isDeadline }, { time }) =>
      isDeadline
        ? `waits for its window: ${schedule}; begins at its deadline ${time(untilMs)}`
        : `waits for its window: ${schedule}; the next one begins at ${time(untilMs)}`,
  ),
  "awaits-absence": row(
    { programs: text, deadlineAtMs: v.nullable(timeMs) },
    ({ programs, deadlineAtMs }, { time }) =>
      `waits while ${obstacleText(programs)}` +
      (deadlineAtMs === null ? "" : `; begins at its deadline ${time(deadlineAtMs)} at the latest`),
  ),
  deferred: row(
    { deferral: count, of: count, untilMs: timeMs, programs: text },
    ({ deferral, of, untilMs, programs }, { time }) =>
      `deferral ${deferral} of ${of}, asks again at ${time(untilMs)}; ${obstacleText(programs)}`,
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
    ({ exitCode: code, run, runsMax, inMs }, { duration }) =>
      `another installer is busy (exit code ${code}): run ${run} of ${runsMax} in ${duration(wholeSecondsMs(inMs))}`,
  ),
  "awaits-check-in": words("waits until this new version of the agent has checked in"),
  "awaits-peers": words("waits until other devices have the package"),
  "checks-agent": words("checks the new version of the agent"),
  "restarts-agent": words("restarts the agent as its new version"),
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
    ({ limitMs, line, taskId: id }, { number }) =>
      `the command ran longer than ${number(limitMs / 1_000)} s and was ended${outputText(line, id)}`,
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
  ...imageReasons,
  // ---- upgrades of the agent
  "not-executable": words(
    "the agent is run by bun, and not as an executable of its own: only such an executable can be upgraded, install one",
  ),
  "no-fitting-file": row(
    { fileName: text },
    ({ fileName }) =>
      `the package has no file ${fileName}, which this device needs: publish a version that has it, or target other devices`,
  ),
  "not-copied": row(
    { fileName: text, folder: text, problem: text },
    ({ fileName, folder, problem }) =>
      `${fileName} cannot be copied to ${folder}, the folder of the running executable: ${problem}`,
  ),
  "not-started": row(
    { fileName: text, problem: text },
    ({ fileName, problem }) => `${fileName} --version does not start: ${problem}`,
  ),
  "no-version": row(
    { fileName: text, status: text, output: text },
    ({ fileName, status, output }) =>
      `${fileName} --version has printed no version (${status}): ${output === "" ? "it has written nothing" : `"${output}"`}`,
  ),
  "same-agent": row({ version: text }, ({ version }) => `already there: the agent is version ${version}`),
  "higher-agent": row(
    { version: text, found: text },
    ({ version, found }) =>
      `the agent is version ${version}, which is higher than ${found}: --allow-downgrade installs the lower one`,
  ),
  upgraded: row(
    { version: text, before: text },
    ({ version, before }) => `version ${version} runs (before: ${before})`,
  ),
  "rolled-back": row(
    { version: text, problem: text, before: text },
    ({ version, problem, before }) => `version ${version} ${problem}: version ${before} runs again`,
  ),
  "upgrade-unknown": row(
    { version: text },
    ({ version }) =>
      `the outcome is unknown: the agent was ended before the new version was tried; version ${version} runs`,
  ),
  "higher-version-ran": row(
    { version: text, taskId },
    ({ version, taskId: id }) =>
      `version ${version} has run on this device (task ${id}), which is higher: --allow-downgrade runs the lower one`,
  ),
  "newer-order-ran": row(
    { version: text, taskId },
    ({ version, taskId: id }) =>
      `a newer order has run on this device (task ${id}, version ${version}): task edit signs this one again`,
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
