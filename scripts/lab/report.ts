/** Report of a lab run for a person, and the problems that make the run a failure. */
import { formatSize } from "../../shared/model/quantity.ts";
import { alignTable, outcomeProblems, outcomeTable, wanRatioMax } from "../rig/table.ts";
import type { DeviceResult, TaskResult } from "./measurement.ts";
import type { Scenario } from "./options.ts";
import type { Usage } from "./usage.ts";

/** Result of a lab run; also the JSON output of `--json`. */
export type LabReport = {
  readonly packageBytes: number;
  /** Duration of one `curl` for as many bytes over the idle WAN link. */
  readonly curlSeconds: number;
  readonly first: TaskResult;
  /** Result of the second task for the same package; null without one. */
  readonly second: TaskResult | null;
  readonly source: Usage;
};

const seconds = (ms: number | null): string => (ms === null ? "–" : `${(ms / 1_000).toFixed(2)} s`);

const legend = `WAN ÷ package is payload: link bytes without 66 bytes of Ethernet, IP and TCP headers a packet, both
directions, control traffic included. "On the wire" includes the headers. One curl has 1.000 and about 1.07.
LAN bytes are what devices sent to each other, with headers. A multicast datagram counts once. For unicast,
segmentation offload may hide up to 4 % of the headers.`;

const phaseLine = ({ outcome, phases }: TaskResult["sites"][number]): string =>
  `${outcome.subnet}: representative elected after ${seconds(phases.electedMs)}, download complete after ${seconds(phases.downloadedMs)}, last device after ${seconds(outcome.timeMs)}`;

function tables(
  title: string,
  result: TaskResult,
  packageBytes: number,
  curlSeconds: number | null,
): string[] {
  const more = [
    {
      heading: "on the wire",
      cells: result.sites.map(({ traffic }) => (traffic.wan.bytes / packageBytes).toFixed(3)),
    },
    ...(curlSeconds === null
      ? []
      : [
          {
            heading: "last ÷ curl",
            cells: result.sites.map(({ outcome }) =>
              outcome.timeMs === null ? "–" : (outcome.timeMs / 1_000 / curlSeconds).toFixed(3),
            ),
          },
        ]),
  ];
  const head = ["device", "role", "from", "complete", "LAN in", "LAN out", "CPU", "peak memory", "receipts"];
  const rows = result.devices.map((device) => [
    device.name,
    device.role,
    device.from,
    seconds(device.completeAfterMs),
    formatSize(device.receivedBytes),
    formatSize(device.sentBytes),
    `${device.usage.cpuSeconds.toFixed(2)} s`,
    formatSize(device.usage.peakBytes),
    device.receiptsMax === 0 ? "–" : String(device.receiptsMax),
  ]);
  const outcomes = result.sites.map(({ outcome }) => outcome);
  return [`\n${title}`, alignTable([head, ...rows], 3), "", outcomeTable(outcomes, more)];
}

/** Delivery of each device that took chunks by unicast: since when, and why. */
function deliveryLines({ devices }: TaskResult): string[] {
  const others = devices.filter(({ unicastAfterMs }) => unicastAfterMs !== null);
  return others.map(
    ({ name, hindrance, unicastAfterMs, reason }) =>
      `${name}${hindrance === null ? "" : ` (${hindrance})`}: first chunk by unicast after ${seconds(unicastAfterMs)}; ${reason}`,
  );
}

const deviceProblems = (device: DeviceResult): string[] => [
  ...(device.wrong === null ? [] : [`${device.name} has no right copy: ${device.wrong}`]),
  ...(device.receiptsMax > 1
    ? [`${device.name} fetched a verified chunk ${device.receiptsMax} times, according to its ledger`]
    : []),
];

/** Smallest share of the package that a peer gets by multicast, whatever the MTUs. */
const multicastShareMin = 0.95;

const mtuProblems = ({ devices }: TaskResult): string[] =>
  devices
    .filter(({ role, multicastShare }) => role !== "representative" && multicastShare < multicastShareMin)
    .map(
      ({ name, multicastShare, reason }) =>
        `${name} got ${Math.floor(100 * multicastShare)} % by multicast: ${reason}`,
    );

/** Returns one sentence per problem; empty on success. */
export function problemsOf(report: LabReport, scenario: Scenario | undefined): string[] {
  const { first } = report;
  // An isolated device cannot reach its peers and has to download for itself.
  const alone = first.devices.filter(({ hindrance }) => hindrance === "isolated").length;
  const copies = Math.max(1, alone / first.sites.length);
  const results = [first, ...(report.second ? [report.second] : [])];
  return [
    ...outcomeProblems(
      first.sites.map(({ outcome }) => outcome),
      wanRatioMax * copies,
    ),
    ...results.flatMap((result) => result.devices.flatMap(deviceProblems)),
    ...(scenario === "mtu" ? mtuProblems(first) : []),
  ];
}

export function labReportText(report: LabReport): string {
  const { first, second, packageBytes, curlSeconds, source } = report;
  const once = Math.max(0, ...first.devices.map(({ receiptsMax }) => receiptsMax)) <= 1;
  return [
    ...tables("Each device", first, packageBytes, curlSeconds),
    ...(second ? tables("Second task for the same package", second, packageBytes, null) : []),
    "",
    ...first.sites.map(phaseLine),
    ...deliveryLines(first),
    `One curl over the same idle link: ${curlSeconds.toFixed(2)} s. Source: ${source.cpuSeconds.toFixed(2)} s CPU, ${formatSize(source.peakBytes)} peak memory.`,
    ...(once ? ["According to the ledgers, no verified chunk was fetched twice."] : []),
    legend,
  ].join("\n");
}
