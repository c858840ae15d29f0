/** What a lab run shows to a person, or as JSON to a program. */
import { formatSize } from "../../shared/model/quantity.ts";
import { alignTable, outcomeProblems, outcomeTable, wanRatioMax } from "../rig/table.ts";
import type { DeviceResult, TaskResult } from "./measurement.ts";
import type { Usage } from "./usage.ts";

export type LabReport = {
  readonly packageBytes: number;
  readonly curlSeconds: number;
  readonly first: TaskResult;
  /** Of the second task for the same package, if there was one. */
  readonly second: TaskResult | null;
  readonly source: Usage;
};

const seconds = (ms: number | null): string => (ms === null ? "–" : `${(ms / 1_000).toFixed(2)} s`);

const legend = `WAN ÷ package is payload (link bytes less 66 bytes of Ethernet, IP and TCP headers a packet, both directions,
control traffic included); on the wire it is with them: one curl costs 1.000 and about 1.07. LAN bytes are what
devices sent to each other with headers, a multicast datagram counted once (of unicast, segmentation offload may hide up
to 4 % of headers).`;

/** Where the time went. */
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

/** Which way the bytes of each device came, and why; who took none by unicast needs no word. */
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
    ? [`${device.name} fetched a verified chunk ${device.receiptsMax} times, by its ledger`]
    : []),
];

/** What keeps the run from being a success; empty when all is well. */
export function problemsOf(report: LabReport): string[] {
  const { first } = report;
  // Whoever is cut off from its neighbours has to download alone.
  const alone = first.devices.filter(({ hindrance }) => hindrance === "isolated").length;
  const copies = Math.max(1, alone / first.sites.length);
  const results = [first, ...(report.second ? [report.second] : [])];
  return [
    ...outcomeProblems(
      first.sites.map(({ outcome }) => outcome),
      wanRatioMax * copies,
    ),
    ...results.flatMap((result) => result.devices.flatMap(deviceProblems)),
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
    ...(once ? ["By every device's ledger, no verified chunk was fetched twice."] : []),
    legend,
  ].join("\n");
}
