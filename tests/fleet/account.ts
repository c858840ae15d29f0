/**
 * Checks of the year: the source's counts against the machines' own history, and the account that
 * is printed at the end.
 */
import type { TaskDetail } from "../../shared/api/schema/admin.ts";
import { deviceIdOf, taskName, type Machine, type Run } from "./machine.ts";
import type { KnownTask } from "./administrator.ts";
import type { FleetYear } from "./year.ts";

/** States that the source shows as the device reported them. */
const told: ReadonlySet<string> = new Set(["complete", "failed", "superseded", "running"]);
/** States of a device that has not reported an end. */
const unseen: ReadonlySet<string> = new Set(["pending", "cancelled", "running"]);

/** Ends of a task on a device. */
const ends: ReadonlySet<string> = new Set(["complete", "failed", "superseded"]);
/** Check-ins in which a machine does a task, even if another one of the subnet fetches first. */
const idleCheckIns = 3;

type Row = Record<"task" | "package" | "target" | "state", string> &
  Record<"targeted" | "complete" | "failed" | "superseded" | "expired" | "notSeen", number>;

/** Last counts of each task, also of those whose records the source has removed. */
export class Account {
  readonly #year: FleetYear;
  readonly rows = new Map<string, Row>();
  /** Time of the last check at which a task had ended; it may be open again since. */
  readonly #endedAtMs = new Map<string, number>();

  constructor(year: FleetYear) {
    this.#year = year;
  }

  /** Compares every task of the source with what the machines did. */
  readonly check = async (): Promise<string[]> => {
    const { admin } = this.#year.source;
    const problems = devicesProblems(this.#year, new Set((await admin.devices()).map(({ id }) => id)));
    for (const { id } of await admin.tasks()) {
      const detail = await admin.task(id);
      const known = this.#year.administrator.tasks.get(taskName(detail));
      if (known === undefined) problems.push(`nobody created task ${taskName(detail)}`);
      else
        problems.push(
          ...this.#taskProblems(detail, known).map((problem) => `task ${known.name}: ${problem}`),
        );
    }
    return problems;
  };

  #taskProblems(detail: TaskDetail, known: KnownTask): string[] {
    const { devices, deviceList, state } = detail;
    const { complete, rebootPending, failed, superseded, expired, total } = devices;
    const notSeen = deviceList.filter((row) => unseen.has(row.state)).length;
    const { target, packageName, packageVersion } = detail;
    const row = { task: known.name, package: `${packageName} ${packageVersion}`, target, state };
    this.rows.set(known.name, { ...row, targeted: total, complete, failed, superseded, expired, notSeen });
    const sum = complete + rebootPending + failed + superseded + expired + notSeen;
    return [
      ...(sum === total ? [] : [`${sum} devices in all states, ${total} targeted`]),
      ...deviceList.flatMap((device) => this.#deviceProblems(known, device)),
      ...(state === "running" ? this.#leftOut(detail, known) : []),
      ...this.#idle(detail, known),
    ];
  }

  /** Compares the state of a device with its last report and with the commands that ran there. */
  #deviceProblems(
    known: KnownTask,
    { deviceId, hostname, state }: TaskDetail["deviceList"][number],
  ): string[] {
    const report = this.#year.book.of(deviceId, known.name);
    const machines = this.#year.fleet.ownersOf(deviceId);
    if (machines.length === 0) return [`nobody enrolled device ${deviceId}`];
    if (report !== null && told.has(report.state) && report.state !== state)
      return [`${hostname} reported ${report.state}, and the source shows ${state}`];
    if (state === "complete" && report?.state !== "complete")
      return [`${hostname} is complete without a report`];
    if (
      known.action === "run" &&
      state === "complete" &&
      !machines.some((machine) => hasSucceeded(machine, known.name))
    )
      return [`${hostname} is complete, and no command succeeded there`];
    return [];
  }

  /** Returns machines that an open task is for, and which it does not count. */
  #leftOut({ deviceList, absentList }: TaskDetail, { matches }: KnownTask): string[] {
    const listed = new Set([...deviceList, ...absentList].map(({ deviceId }) => deviceId));
    return this.#year.fleet.inService
      .filter((machine) => isKnown(this.#year, machine) && machine.checkIns.length > 0 && matches(machine))
      .filter((machine) => !listed.has(deviceIdOf(machine)!))
      .map(({ name }) => `${name} is left out`);
  }

  /** Returns machines that checked in again and again, and have not done the task. */
  #idle({ deviceList, createdAtMs, endedAtMs }: TaskDetail, { name }: KnownTask): string[] {
    const untilMs = endedAtMs ?? Number.POSITIVE_INFINITY;
    const openedAtMs = this.#endedAtMs.get(name) ?? createdAtMs;
    if (endedAtMs !== null) this.#endedAtMs.set(name, this.#year.source.clock.nowMs);
    return deviceList.flatMap(({ deviceId, hostname, state, updatedAtMs }) => {
      const [machine, ...others] = this.#year.fleet.ownersOf(deviceId);
      if (machine === undefined || others.length > 0 || deviceIdOf(machine) !== deviceId) return [];
      if (machine.service !== "in-service" || ends.has(state)) return [];
      const sinceMs = Math.max(openedAtMs, updatedAtMs);
      const { length } = machine.checkIns.filter((atMs) => atMs > sinceMs && atMs < untilMs);
      return length < idleCheckIns ? [] : [`${hostname} is ${state} after ${length} check-ins`];
    });
  }

  /** Returns what is wrong at the end of the year. */
  async finalProblems(): Promise<string[]> {
    const { source, book, fleet, administrator } = this.#year;
    const problems = [...(await this.check()), ...fleet.machines.flatMap(twiceRun)];
    const list = await source.admin.tasks();
    for (const task of list)
      if (!["done", "ended", "cancelled"].includes(task.state))
        problems.push(`task ${taskName(task)} never ends: ${task.state}`);
    const listed = (await source.admin.devices()).map(({ hostname }) => hostname);
    const names = fleet.inService.map(({ name }) => name);
    if (listed.toSorted().join(" ") !== names.toSorted().join(" "))
      problems.push(
        `the source lists ${listed.toSorted().join(" ")}, in service are ${names.toSorted().join(" ")}`,
      );
    for (const { name } of fleet.machines.filter(({ service }) => service === "retired"))
      problems.push(`${name} was not told that it is removed`);
    const spki = await source.certificateSpki();
    const last = [...administrator.tasks.values()].findLast(
      ({ target, action }) => target === "all" && action === "run",
    )!;
    for (const machine of fleet.inService) {
      const id = deviceIdOf(machine)!;
      if (!ends.has(book.of(id, last.name)?.state ?? "none"))
        problems.push(`${machine.name} is left out of the last task`);
      if (machine.folder.identity?.tlsSpki !== spki)
        problems.push(`${machine.name} knows an old certificate`);
      const setting = machine.tags.has("lab") ? "careful" : "default";
      const { ownSetting } = fleet.agentOf(machine);
      if (ownSetting !== setting) problems.push(`${machine.name} has setting ${ownSetting}, not ${setting}`);
    }
    return problems;
  }

  /** Returns the account as a table. */
  table(): string {
    const rows = [...this.rows.values()];
    const heads = [
      "task",
      "package",
      "target",
      "state",
      "targeted",
      "complete",
      "failed",
      "superseded",
      "expired",
      "notSeen",
    ] as const;
    const widths = heads.map((head) => Math.max(head.length, ...rows.map((row) => String(row[head]).length)));
    const line = (words: readonly (string | number)[]): string =>
      words
        .map((word, at) =>
          typeof word === "number" ? String(word).padStart(widths[at]!) : word.padEnd(widths[at]!),
        )
        .join("  ");
    return [line(heads), ...rows.map((row) => line(heads.map((head) => row[head])))].join("\n");
  }
}

const hasSucceeded = ({ runs }: Machine, task: string): boolean =>
  runs.some((run) => run.task === task && run.exitCode === 0);

const keyOf = ({ task, attempt, installation }: Run): string =>
  `task ${task}, attempt ${attempt}, installation ${installation}`;

/** Returns commands that ran twice in one installation for one attempt of a task. */
function twiceRun({ name, runs }: Machine): string[] {
  return [...Map.groupBy(runs, keyOf)]
    .filter(([, same]) => same.length > 1)
    .map(([key, same]) => `${name} ran ${same.length} times: ${key}`);
}

/**
 * Whether the source should have a device of the machine: it has enrolled, not only since the
 * backup, and shares its id with no copy.
 */
function isKnown({ book, fleet }: FleetYear, machine: Machine): boolean {
  const id = deviceIdOf(machine) ?? "none";
  return book.knows(id) && fleet.ownersOf(id).length === 1;
}

/** Returns machines that the source does not list. */
const devicesProblems = (year: FleetYear, listed: ReadonlySet<string>): string[] =>
  year.fleet.inService
    .filter((machine) => isKnown(year, machine) && !listed.has(deviceIdOf(machine)!))
    .map(({ name }) => `${name} is not listed`);
