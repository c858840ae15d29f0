/**
 * The command `status`: prints what the agent of a data folder does, as text or as JSON. While no
 * agent runs, the command reads the ledger.
 */
import { existsSync } from "node:fs";
import { openLedgerReadOnly, type Identity } from "../../cache/index.ts";
import { formatBinarySize, formatRate, formatSize } from "../../model/quantity.ts";
import { reasonsText } from "../../model/reason.ts";
import type { WakeRefusal } from "../../model/wake-on-lan.ts";
import type { WrongSender } from "../../api/schema/common.ts";
import { barText, SetupError } from "../enrolment.ts";
import { storedSetting, versionOf } from "../own-setting.ts";
import { conditionsLine } from "./conditions-text.ts";
import { askStatus, type AgentStatus } from "./status-server.ts";
import { parseTaskRow } from "../../device/task-record.ts";
import { printJson, printLines } from "../../standard-output.ts";

/** @throws SetupError when the data folder does not exist */
export async function printStatus(dataFolder: string, asJson: boolean): Promise<void> {
  if (!existsSync(dataFolder))
    throw new SetupError(`There is no data folder "${dataFolder}": give the folder that the agent runs with`);
  const status = await askStatus(dataFolder);
  if (asJson)
    return printJson(status ? { running: true, ...status } : { running: false, ...ledgerStatus(dataFolder) });
  printLines(status ? runningLines(status) : stoppedLines(dataFolder));
}

/** Returns the lines that `status` prints for a running agent. Pure. */
export function runningLines(status: AgentStatus): string[] {
  const { lan } = status;
  const conditions = conditionsLine(status.conditions);
  const dropped = Object.entries(lan.dropped).filter(([reason]) => reason !== "own" && reason !== "session");
  return [
    `device ${status.deviceId} (${status.hostname}), agent ${status.version}, pid ${status.pid}`,
    sourceLine(status),
    ...approvalLines(status),
    settingLine(status),
    ...trustLines(status),
    subnetLine(status),
    ...(status.interface ? [multicastLine(status), exchangeLine(status)] : []),
    ...(conditions === null ? [] : [conditions]),
    ...wakeLines(status),
    ...(dropped.length > 0
      ? [`dropped frames: ${dropped.map(([reason, count]) => `${count} ${reason}`).join(", ")}`]
      : []),
    ...(status.tasks.length === 0 ? ["no tasks"] : status.tasks.map(taskLine)),
  ];
}

function sourceLine({ source, connected, lostContact }: AgentStatus): string {
  if (lostContact === null) return `source ${source}: ${connected ? "connected" : "not connected, retrying"}`;
  const since = new Date(lostContact.sinceMs).toISOString();
  const state = connected ? "connected, but requests fail" : "not connected, retrying";
  return `source ${source}: ${state}; ${lostContact.why} since ${since}: ${lostContact.text}`;
}

function approvalLines({ approval, deviceId }: AgentStatus): string[] {
  const next = `an administrator approves it: flockcast-source device approve ${deviceId}`;
  if (approval === "waiting") return [`WAITING FOR APPROVAL: the device gets no task until ${next}`];
  if (approval === "suspended")
    return [`SUSPENDED, WAITING FOR APPROVAL: the tags of the device do not count until ${next}`];
  return [];
}

/** Returns who may command the device, and whether the source's word is fresh. */
function trustLines({ trust }: AgentStatus): string[] {
  const { version, root, embedded, freshUntilMs, isStale, refused } = trust;
  if (version === 0) return ["no trust file yet: the device obeys nobody", ...refused.map(refusedLine)];
  const owner = embedded ? "the source holds the keys: whoever owns it owns this device" : "keys elsewhere";
  const until = freshUntilMs === null ? null : new Date(freshUntilMs).toISOString();
  const fresh = isStale
    ? `STALE: no fresh word of an operator ${until === null ? "yet" : `since ${until}`}; the source may keep orders back`
    : `fresh until ${until}`;
  return [
    `trust file version ${version} (roots ${root.slice(0, 16)}), ${owner}; ${fresh}`,
    ...refused.map(refusedLine),
  ];
}

const refusedLine = ({ what, text }: AgentStatus["trust"]["refused"][number]): string =>
  `not obeyed: ${what}: ${text}`;

function settingLine({ setting }: Pick<AgentStatus, "setting">): string {
  if (setting === null) return "setting not known yet, uses the built-in values";
  const parents = setting.parents.map(versionText);
  return `setting ${versionText(setting)}${parents.length > 0 ? `, inherits from ${parents.join(", ")}` : ""}`;
}

const versionText = ({ name, version }: { name: string; version: number }): string =>
  `${name} version ${version}`;

const multicastLine = ({ lan, multicastProblem, receiveBufferBytes }: AgentStatus): string =>
  multicastProblem === ""
    ? `multicast: ${lan.framesHeard} frames received${perCallText(lan)}, ${lan.framesSent} sent, receive buffer ${formatBinarySize(receiveBufferBytes)}, ${dropsText(lan.kernelDrops)}`
    : `multicast does not work: ${multicastProblem}`;

const exchangeLine = ({ exchange }: AgentStatus): string =>
  `LAN exchange: TCP port ${exchange.port}, ${formatSize(exchange.bytesSent)} sent${exchange.portProblem && `; ${exchange.portProblem}`}`;

const wakeRefusalTexts: Readonly<Record<WakeRefusal, string>> = {
  setting: "the setting is wakeOnLan=never",
  "no-network": "there is no interface with a broadcast address",
  limit: "they are not addresses of network cards, or above the limits of this device",
  "not-sent": "the system refused the packets",
};

/** Returns nothing before the source has asked to wake a machine. */
function wakeLines({ wakes }: AgentStatus): string[] {
  const { sent, leftOut, lastAtMs, lastMacs, refused } = wakes;
  if (sent === 0 && leftOut === 0) return [];
  const last = lastAtMs === null ? "" : `, last ${new Date(lastAtMs).toISOString()}: ${macsText(lastMacs)}`;
  const why = refused === null ? "" : `; left out ${leftOut}: ${wakeRefusalTexts[refused]}`;
  return [`Wake-on-LAN: ${sent} ${sent === 1 ? "machine" : "machines"} woken${last}${why}`];
}

/** Addresses that a line shows; `--json` has all. */
const shownMacs = 4;
const macsText = (macs: readonly string[]): string =>
  `${macs.slice(0, shownMacs).join(", ")}${macs.length > shownMacs ? ` and ${macs.length - shownMacs} more` : ""}`;

function subnetLine({ subnetId, interface: own, interfaceWhy, group }: AgentStatus): string {
  if (!own) return `no subnet, works without multicast: ${interfaceWhy}`;
  const medium = own.medium === "unknown" ? "" : `${own.medium} `;
  const why = interfaceWhy === "" ? "" : `; ${interfaceWhy}`;
  return `subnet ${subnetId ?? "not known yet"} on ${own.address} (${medium}${own.name}), group ${group}${why}`;
}

const perCallText = ({ framesHeard, receiveCalls }: AgentStatus["lan"]): string =>
  receiveCalls === 0 ? "" : ` (${(framesHeard / receiveCalls).toFixed(1)} a call)`;

const dropsText = (drops: number | null): string =>
  drops === null
    ? "drops not reported by this system"
    : drops === 0
      ? "no drops"
      : `${drops} dropped because it was full`;

/** Returns what a task of a running agent does. */
export function taskLine(task: AgentStatus["tasks"][number]): string {
  const { bytesTotal, bytesVerified } = task;
  const rate = task.rateBps > 0 ? `, ${formatRate(task.rateBps)}` : "";
  const role = task.role === "none" ? "" : `, ${task.role}`;
  const way = task.way === "none" ? "" : ` by ${task.way}`;
  // After a restart of the agent, an ended task is known without its bytes.
  const share =
    bytesTotal === 0
      ? ""
      : `, ${Math.floor((100 * bytesVerified) / bytesTotal)} % of ${formatSize(bytesTotal)}`;
  // The line already contains the state.
  const why = reasonsText(task.reasons).replace(/^complete(?:[:;] |$)/, "");
  const wrong = task.wrongFrom.map(wrongText).join("");
  const setting = task.setting === null ? "" : `, setting ${versionText(task.setting)}`;
  return `task ${task.taskId} (${task.package}${setting}): ${task.state}${role}${share}${way}${rate}${why && `; ${why}`}${wrong}`;
}

const wrongText = ({ address, deviceId, chunks }: WrongSender): string =>
  `; ${chunks} wrong ${chunks === 1 ? "chunk" : "chunks"} from ${address}${deviceId === null ? "" : ` (device ${deviceId})`}`;

function ledgerStatus(dataFolder: string) {
  const ledger = openLedgerReadOnly(dataFolder);
  try {
    const identity = ledger.identity();
    const tasks = ledger.tasks().map(({ taskId, state }) => {
      const row = parseTaskRow(state);
      return {
        taskId,
        package: row ? `${row.task.packageName} ${row.task.packageVersion}` : "unknown",
        state: row?.life ?? "unknown",
        reasons: row?.reason ? [row.reason] : [],
      };
    });
    const barred = identity?.barred ?? null;
    const own = storedSetting(ledger);
    const setting = own && versionOf(own);
    const [deviceId, source] = [identity?.deviceId ?? null, identity?.sourceUrl ?? null];
    return { deviceId, source, barred, setting, tasks };
  } finally {
    ledger.close();
  }
}

const barredLine = ({ code, atMs }: NonNullable<Identity["barred"]>, dataFolder: string): string =>
  `since ${new Date(atMs).toISOString()}: ${code === "forgotten" ? "forgotten, enrols again at the next start" : barText(code, dataFolder)}`;

function stoppedLines(dataFolder: string): string[] {
  const { deviceId, source, barred, setting, tasks } = ledgerStatus(dataFolder);
  return [
    `no agent is running on ${dataFolder}`,
    deviceId ? `device ${deviceId} of ${source}` : "not enrolled",
    ...(barred === null ? [] : [barredLine(barred, dataFolder)]),
    ...(setting === null ? [] : [settingLine({ setting })]),
    ...tasks.map(
      (task) =>
        `task ${task.taskId} (${task.package}): ${[task.state, reasonsText(task.reasons)].filter((part) => part !== "").join("; ")}`,
    ),
  ];
}
