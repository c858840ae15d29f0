/**
 * Output of `task watch`: a bar per subnet on a terminal, plain lines otherwise. Pure: task and
 * time in, lines out. The rate is that of verified bytes in the last seconds, not the one that
 * devices report.
 */
import { formatDuration, formatRate } from "../../model/quantity.ts";
import { printable } from "../../printable.ts";
import { endStates } from "../../api/schema/common.ts";
import type { TaskDetail, TaskDevice, TaskSubnet } from "../../api/schema/admin.ts";

/**
 * Window of the rate. Devices report every two seconds by default, so a shorter window would show
 * steps.
 */
const windowMs = 6_000;
const barCells = 24;
const barCellsNarrow = 10;
const columnsNarrow = 110;

type Sample = { readonly atMs: number; readonly bytes: number };
const keyOf = (subnet: TaskSubnet): string => subnet.subnetId ?? "-";

/** Rate of verified bytes by subnet, over a sliding window. */
export class RateWindow {
  readonly #samples = new Map<string, Sample[]>();

  /** Adds a sample and returns the bits per second by subnet. */
  add(subnets: readonly TaskSubnet[], nowMs: number): Map<string, number> {
    return new Map(
      subnets.map((subnet) => {
        const key = keyOf(subnet);
        const kept = (this.#samples.get(key) ?? []).filter((sample) => nowMs - sample.atMs <= windowMs);
        kept.push({ atMs: nowMs, bytes: subnet.bytesVerified });
        this.#samples.set(key, kept);
        const elapsedMs = nowMs - kept[0]!.atMs;
        const bytes = Math.max(0, subnet.bytesVerified - kept[0]!.bytes);
        return [key, elapsedMs > 0 ? Math.round((bytes * 8_000) / elapsedMs) : 0] as const;
      }),
    );
  }
}

const share = (subnet: TaskSubnet): number =>
  subnet.bytesTotal === 0
    ? subnet.complete === subnet.devices
      ? 1
      : 0
    : subnet.bytesVerified / subnet.bytesTotal;

type OverCounts = Pick<TaskSubnet, "complete" | "rebootPending" | "failed" | "superseded" | "expired">;
const isOver = (of: OverCounts, total: number): boolean =>
  of.complete + of.rebootPending + of.failed + of.superseded + of.expired >= total;

function timeLeft(subnet: TaskSubnet, rateBps: number): string {
  const leftBits = (subnet.bytesTotal - subnet.bytesVerified) * 8;
  if (leftBits === 0 || isOver(subnet, subnet.devices)) return "";
  if (rateBps === 0) return "";
  const seconds = Math.ceil(leftBits / rateBps);
  return `${formatDuration(seconds < 600 ? seconds * 1_000 : Math.ceil(seconds / 60) * 60_000)} left`;
}

function facts(task: TaskDetail, subnet: TaskSubnet, rateBps: number): string {
  const parts = [
    task.state === "paused" || task.state === "scheduled" ? task.state : "",
    subnet.state,
    `${subnet.complete} of ${subnet.devices} complete`,
    subnet.rebootPending > 0 ? `${subnet.rebootPending} to be restarted` : "",
    subnet.failed > 0 ? `${subnet.failed} failed` : "",
    subnet.superseded > 0 ? `${subnet.superseded} superseded` : "",
    subnet.expired > 0 ? `${subnet.expired} expired` : "",
    subnet.offline > 0 ? `${subnet.offline} offline` : "",
    rateBps > 0 ? formatRate(Number(rateBps.toPrecision(3))) : "",
    timeLeft(subnet, rateBps),
    subnet.representative
      ? `representative ${printable(subnet.representative.hostname)}`
      : "no representative yet",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

const percentOf = (subnet: TaskSubnet): string => `${Math.floor(share(subnet) * 100)} %`;
/** Printable, because the width of a line is measured in its characters. */
const nameOf = ({ site, name, cidr }: TaskSubnet): string =>
  printable([site, name ?? cidr].filter((part) => part !== null && part !== "").join(" ")) ||
  "(no subnet yet)";

/**
 * Returns the lines for a terminal of `columns` cells and `rows` lines. A terminal cannot overwrite
 * a drawing that is taller than itself.
 */
export function barLines(
  task: TaskDetail,
  rates: ReadonlyMap<string, number>,
  columns: number,
  rows: number,
): string[] {
  const cells = columns < columnsNarrow ? barCellsNarrow : barCells;
  const width = Math.max(0, ...task.subnets.map((subnet) => nameOf(subnet).length));
  const lines = task.subnets.map((subnet) => {
    const full = Math.floor(share(subnet) * cells);
    const bar = "█".repeat(full) + "░".repeat(cells - full);
    const head = `${nameOf(subnet).padEnd(width)} ${bar} ${percentOf(subnet).padStart(5)}`;
    return `${head}  ${facts(task, subnet, rates.get(keyOf(subnet)) ?? 0)}`.slice(
      0,
      Math.max(20, columns - 1),
    );
  });
  const linesMax = Math.max(2, rows - 1);
  if (lines.length > linesMax) {
    const left = lines.length - linesMax + 1;
    return [...lines.slice(0, linesMax - 1), `and ${left} more subnets: task show ${task.id}`];
  }
  if (lines.length > 0) return lines;
  const why = absentText(task, () => "before the task's creation");
  return [`task ${task.id}: no device is targeted yet (${task.target})${why && `; ${why}`}`];
}

/**
 * Lines for output that is not a terminal. A subnet gives a line when its state, representative or
 * counts change, or when another tenth was verified.
 */
export class PlainLines {
  readonly #lastShown = new Map<string, string>();

  next(task: TaskDetail, rates: ReadonlyMap<string, number>): string[] {
    return task.subnets.flatMap((subnet) => {
      const { state, representative, devices } = subnet;
      const { complete, rebootPending, failed, superseded, expired, offline } = subnet;
      const step = Math.floor(share(subnet) * 10);
      const shown = JSON.stringify([
        task.state,
        state,
        representative?.deviceId,
        [complete, rebootPending, failed, superseded, expired, offline, devices],
        step,
      ]);
      if (this.#lastShown.get(keyOf(subnet)) === shown) return [];
      this.#lastShown.set(keyOf(subnet), shown);
      const name = `task ${task.id} subnet ${nameOf(subnet)} ${subnet.subnetId ?? ""}`.trimEnd();
      return [`${name}: ${percentOf(subnet)}, ${facts(task, subnet, rates.get(keyOf(subnet)) ?? 0)}`];
    });
  }
}

/** Returns "3 not seen since …" for the targeted devices that do not count; empty without them. */
export function absentText(
  { devices, absentSinceMs }: Pick<TaskDetail, "devices" | "absentSinceMs">,
  formatTime: (timeMs: number) => string,
): string {
  return absentSinceMs === null ? "" : `${devices.absent} not seen since ${formatTime(absentSinceMs)}`;
}

/** Returns "offline, not seen since …; " for an unfinished device without a connection. */
export function absenceText(device: TaskDevice, formatTime: (timeMs: number) => string): string {
  if (device.connected || endStates.has(device.state)) return "";
  return `offline, not seen since ${formatTime(device.lastSeenAtMs)}; `;
}

type WatchOutcome = "going-on" | "complete" | "failed" | "cancelled" | "ended";

/**
 * Returns the outcome: a task is over when it ended, or no device of it continues. It is complete
 * when this share of the devices that no higher version supersedes has succeeded; a machine may
 * still have to be restarted. A task without devices waits for the first one.
 */
export function outcomeOf(task: TaskDetail, untilShare = 1): WatchOutcome {
  if (task.state === "cancelled") return "cancelled";
  const { total, complete, rebootPending, failed, superseded } = task.devices;
  const succeeded = complete + rebootPending;
  if (task.state === "done" || (total > 0 && succeeded >= untilShare * (total - superseded)))
    return "complete";
  if (failed > 0 && isOver(task.devices, total)) return "failed";
  if (task.state === "ended") return "ended";
  return "going-on";
}
