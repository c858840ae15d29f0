/** Report of a lab run for a person, and the problems that make the run a failure. */
import { formatSize } from "../../shared/model/quantity.ts";
import { alignTable, outcomeProblems, outcomeTable, wanRatioMax } from "../rig/table.ts";
import { upgradeLines, upgradeProblems, type UpgradeResult } from "./agent-upgrade.ts";
import type { DeviceResult, TaskResult } from "./measurement.ts";
import type { LabOptions, Scenario } from "./options.ts";
import { contents } from "./package.ts";
import type { Usage } from "./usage.ts";

/** Result of a lab run; also the JSON output of `--json`. */
export type LabReport = {
  readonly packageBytes: number;
  /** Bytes of the package without chunks of zeros. */
  readonly sentBytes: number;
  /** Duration of one `curl` for as many bytes over the idle WAN link. */
  readonly curlSeconds: number;
  readonly first: TaskResult;
  /** Result of the second task, for the same package or its next version; null without one. */
  readonly second: TaskResult | null;
  /** Result of the scenario agent-upgrade; null without it. */
  readonly upgrade: UpgradeResult | null;
  readonly source: Usage;
};

const seconds = (ms: number | null): string => (ms === null ? "–" : `${(ms / 1_000).toFixed(2)} s`);

const legend = `WAN ÷ package is payload: link bytes without 66 bytes of Ethernet, IP and TCP headers a packet. "With headers"
includes these. One curl has 1.000 and about 1.07. Both count everything that crosses the link in both directions, from
the creation of the task until the link is quiet: manifests, check-ins, leases, reports and the change streams, too.
LAN bytes are what devices sent to each other, with headers. A multicast datagram counts once. For unicast,
segmentation offload may hide up to 4 % of the headers.`;

const phaseLine = ({ outcome, phases }: TaskResult["sites"][number]): string =>
  `${outcome.subnet}: representative elected after ${seconds(phases.electedMs)}, download complete after ${seconds(phases.downloadedMs)}, last device after ${seconds(outcome.timeMs)}`;

function tables(title: string, result: TaskResult, curlSeconds: number | null): string[] {
  const more = [
    {
      heading: "with headers",
      cells: result.sites.map(({ ratios }) => ratios.wanWithHeaders.toFixed(3)),
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

/** Bound on WAN ÷ package of a second task, for a package or all but one chunk that a site has. */
const secondRatioMax = 0.02;

function secondProblems({ sites }: TaskResult, scenario: Scenario | undefined): string[] {
  const isNewVersion = scenario === "new-version";
  return [
    ...outcomeProblems(
      sites.map(({ outcome }) => outcome),
      secondRatioMax,
    ),
    ...sites
      .filter(({ ratios }) => isNewVersion && ratios.lan > secondRatioMax)
      .map(
        ({ outcome, ratios }) =>
          `${outcome.subnet}: the LAN carried ${ratios.lan.toFixed(3)} × the package, more than ${secondRatioMax}`,
      ),
  ];
}

/** A copy may occupy this share more than the bytes that are not zero. */
const diskRatioMax = 1.1;

/** Returns one sentence per problem; empty on success. */
export function problemsOf(
  report: LabReport,
  { scenario, content, package: path }: Pick<LabOptions, "scenario" | "content" | "package">,
): string[] {
  const { first, second, packageBytes, sentBytes } = report;
  const share = sentBytes / packageBytes;
  // An isolated device cannot reach its peers and has to download for itself.
  const alone = first.devices.filter(({ hindrance }) => hindrance === "isolated").length;
  const copies = Math.max(1, alone / first.sites.length);
  const results = [first, ...(second ? [second] : [])];
  const ratioMax = share * copies * (path === undefined ? contents[content] : wanRatioMax);
  return [
    ...outcomeProblems(
      first.sites.map(({ outcome }) => outcome),
      Math.round(ratioMax * 1e4) / 1e4,
    ),
    ...(second ? secondProblems(second, scenario) : []),
    ...first.devices
      .filter(({ diskBytes }) => diskBytes > diskRatioMax * sentBytes && share < 1)
      .map(({ name, diskBytes }) => `${name}'s copy is not sparse: it occupies ${formatSize(diskBytes)}`),
    ...results.flatMap((result) => result.devices.flatMap(deviceProblems)),
    ...(scenario === "mtu" ? mtuProblems(first) : []),
    ...(report.upgrade ? upgradeProblems(report.upgrade) : []),
  ];
}

export function labReportText(report: LabReport): string {
  const { first, second, curlSeconds, source } = report;
  const once = Math.max(0, ...first.devices.map(({ receiptsMax }) => receiptsMax)) <= 1;
  return [
    ...tables("Each device", first, curlSeconds),
    ...(second ? tables("Second task", second, null) : []),
    "",
    ...first.sites.map(phaseLine),
    ...deliveryLines(first),
    ...(report.upgrade ? upgradeLines(report.upgrade) : []),
    `One curl over the same idle link: ${curlSeconds.toFixed(2)} s. Source: ${source.cpuSeconds.toFixed(2)} s CPU, ${formatSize(source.peakBytes)} peak memory.`,
    ...(once ? ["According to the ledgers, no verified chunk was fetched twice."] : []),
    legend,
  ].join("\n");
}
