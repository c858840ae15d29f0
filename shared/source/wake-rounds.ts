/**
 * Wakes the sleeping devices of tasks that ask for it. Before the start, at most two awake devices
 * of each subnet are asked to send packets. Each round looks at the tasks whose time has come, and
 * attempts have bounds for each device and task (model/wake-on-lan.ts).
 */
import { wakersMax, wakesPerMinute } from "../model/wake-on-lan.ts";
import type { TaskRecord, WakeRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { repeatWork } from "./repeated-work.ts";
import { targetsOf } from "./setting-reach.ts";
import { openTargeting } from "./targeting.ts";
import { isDue, isWakeTime, mayTry, ranked, wakeAddress, type Sleeper } from "./wake-plan.ts";
import { settingReader, SilentDevices, sleepersOf } from "./wake-sleepers.ts";

export type WakeContext = Pick<
  SourceContext,
  | "catalog"
  | "changeHub"
  | "acceptsWishes"
  | "events"
  | "liveness"
  | "log"
  | "nowMs"
  | "orders"
  | "wakeRequests"
>;

const roundEveryMs = 1_000;
/** Rounds take about this share of the time, up to the longest pause: they wait for devices too. */
const roundShare = 0.02;
const pauseMaxMs = 30_000;
/** Interval at which one task is looked at. */
const taskEveryMs = 15_000;
/** Interval at which the devices of a subnet are asked: they wake a bounded number in a minute. */
const subnetEveryMs = 60_000;
/** Connected devices of a subnet that are compared, and those that are asked for an answer. */
const readMax = 500;
const candidatesMax = 6;
/** Subnets that are asked at a time. */
const subnetsAtOnce = 64;

type Watched = { nextAtMs: number; version: number; readonly silent: SilentDevices };

type SubnetParts = {
  readonly sleepers: readonly Sleeper[];
  readonly connected: readonly string[];
  /** Devices that were asked in the last attempts for the sleepers. */
  readonly asked: ReadonlySet<string>;
};

export class WakeRounds {
  readonly #context: WakeContext;
  readonly #tasks = new Map<number, Watched>();
  /** Times until which the devices of a subnet are not asked again. */
  readonly #busyUntilMs = new Map<string, number>();

  constructor(context: WakeContext) {
    this.#context = context;
  }

  /** Looks at all tasks whose time has come. */
  async round(): Promise<void> {
    const { catalog, nowMs, orders } = this.#context;
    const due = (await catalog.tasks.open()).filter((task) => isWakeTime(task, nowMs()));
    const ids = new Set(due.map(({ id }) => id));
    for (const id of this.#tasks.keys()) if (!ids.has(id)) this.#tasks.delete(id);
    for (const [id, untilMs] of this.#busyUntilMs) if (untilMs <= nowMs()) this.#busyUntilMs.delete(id);
    for (const task of due) {
      const known = this.#tasks.get(task.id);
      const isChanged = known?.version !== task.version;
      if (!isChanged && nowMs() < known.nextAtMs && known.nextAtMs <= nowMs() + taskEveryMs) continue;
      // No device obeys a task without an order.
      if ((await orders.needed({ kind: "task", subject: String(task.id) })) !== null) continue;
      const watched = isChanged ? { silent: new SilentDevices(), version: task.version, nextAtMs: 0 } : known;
      watched.nextAtMs = nowMs() + taskEveryMs;
      this.#tasks.set(task.id, watched);
      await this.#wakeFor(task, watched.silent);
    }
  }

  async #wakeFor(task: TaskRecord, silent: SilentDevices): Promise<void> {
    const { catalog, nowMs, changeHub } = this.#context;
    const sleepers = await sleepersOf(this.#context, task, silent, nowMs());
    const known = await catalog.wakes.ofTask(task.id);
    await this.#noteAwake(task, known, sleepers);
    if (sleepers.length === 0) return;
    const attemptsFor = ({ id }: Sleeper): number => known.get(id)?.attempts ?? 0;
    const lastAsked = await catalog.wakes.lastAsked(sleepers.map(({ id }) => id));
    // Devices with fewer attempts come first, because a subnet wakes a bounded number in a minute.
    const next = sleepers
      .filter(({ id }) => mayTry(known.get(id), lastAsked.get(id), nowMs()))
      .toSorted((a, b) => attemptsFor(a) - attemptsFor(b));
    const { here = [], away = [] } = Object.groupBy(next, (one) => (one.subnetId === null ? "away" : "here"));
    await this.#note(task, away, "no-address");
    const subnets = [...Map.groupBy(here, ({ subnetId }) => subnetId!)];
    const connected = changeHub.idsBySubnet;
    const partsOf = (id: string, own: readonly Sleeper[]): SubnetParts => ({
      sleepers: own,
      connected: connected.get(id) ?? [],
      asked: new Set(own.flatMap((one) => known.get(one.id)?.wakers ?? [])),
    });
    for (let from = 0; from < subnets.length; from += subnetsAtOnce)
      await Promise.all(
        subnets
          .slice(from, from + subnetsAtOnce)
          .map(([id, own]) => this.#wakeOn(task, id, partsOf(id, own))),
      );
  }

  /** Notes devices that checked in while the attempt for them was stored. */
  async #noteAwake(
    task: TaskRecord,
    known: ReadonlyMap<string, WakeRecord>,
    sleepers: readonly Sleeper[],
  ): Promise<void> {
    const { catalog, changeHub, nowMs } = this.#context;
    const asleep = new Set(sleepers.map(({ id }) => id));
    for (const { deviceId, wokeAtMs } of known.values()) {
      if (wokeAtMs !== null || asleep.has(deviceId) || !changeHub.isConnected(deviceId)) continue;
      await catalog.wakes.noteWoke(deviceId, nowMs());
      this.#tell(task);
    }
  }

  /** Asks awake devices of a subnet to wake the others. */
  async #wakeOn(
    task: TaskRecord,
    subnetId: string,
    { sleepers, connected, asked }: SubnetParts,
  ): Promise<void> {
    const { catalog, changeHub, log, nowMs, wakeRequests } = this.#context;
    const busyUntilMs = this.#busyUntilMs.get(subnetId) ?? 0;
    if (busyUntilMs > nowMs() && busyUntilMs <= nowMs() + subnetEveryMs) return;
    const named = await this.#addressesOf(task, sleepers);
    if (named.length === 0) return;
    const asleep = new Set(sleepers.map(({ id }) => id));
    const candidates = connected.filter((id) => !asleep.has(id));
    const wakers = await this.#awakeAmong(candidates, asked);
    const ids = named.map(({ deviceId }) => deviceId);
    if (wakers.length === 0) return this.#noteIds(task, ids, "no-waker");
    // A later round asks them: an attempt without a request is none.
    if (!wakeRequests.hasRoom(wakers.length, nowMs())) return;
    this.#busyUntilMs.set(subnetId, nowMs() + subnetEveryMs);
    await catalog.wakes.noteAsked(task.id, { deviceIds: ids, wakers, atMs: nowMs() });
    this.#tell(task);
    for (const waker of wakers) wakeRequests.open({ taskId: task.id, waker, sleepers: named }, nowMs());
    changeHub.notify(wakers);
    log.info({ taskId: task.id, subnetId, wakers, devices: ids.length }, "devices are to be woken");
  }

  /** Returns those that can be woken now, with their MAC addresses, and notes why others cannot. */
  async #addressesOf(
    task: TaskRecord,
    sleepers: readonly Sleeper[],
  ): Promise<{ deviceId: string; mac: string }[]> {
    const { catalog, nowMs } = this.#context;
    const inventories = await catalog.devices.inventories(sleepers.map(({ id }) => id));
    const due = sleepers.filter((one) => isDue(task, one, inventories.get(one.id), nowMs()));
    const { never = [], allow = [] } = Object.groupBy(due, ({ setting }) => setting.wakeOnLan);
    await this.#note(task, never, "forbidden");
    const all = allow.map((one) => ({ one, mac: wakeAddress(inventories.get(one.id)) }));
    await this.#note(
      task,
      all.filter(({ mac }) => mac === null).map(({ one }) => one),
      "no-address",
    );
    return all
      .flatMap(({ one, mac }) => (mac === null ? [] : [{ deviceId: one.id, mac }]))
      .slice(0, wakesPerMinute);
  }

  /** Returns devices that may wake others and have just checked in. */
  async #awakeAmong(connected: readonly string[], before: ReadonlySet<string>): Promise<string[]> {
    const { catalog, liveness, wakeRequests } = this.#context;
    const assignments = await catalog.settings.assignments();
    const settingOf = settingReader(await catalog.settings.tree(), assignments);
    const targeting = await openTargeting(this.#context, targetsOf(assignments), connected);
    const read = await Promise.all(connected.slice(0, readMax).map((id) => catalog.devices.byId(id)));
    const candidates = read
      .filter((device) => device !== null)
      .filter((device) => device.life.state === "active")
      .filter((device) => settingOf(targeting, device).wakeOnLan === "allow")
      .map(({ id, facts }) => ({
        id,
        facts,
        isSilent: wakeRequests.isSilent(id),
        wasAsked: before.has(id),
      }));
    const awake: string[] = [];
    const left = ranked(candidates).slice(0, candidatesMax);
    while (awake.length < wakersMax && left.length > 0) {
      const asked = left.splice(0, wakersMax - awake.length);
      const answers = await Promise.all(asked.map(({ id }) => liveness.answers(id)));
      awake.push(...asked.filter((_, index) => answers[index]).map(({ id }) => id));
    }
    return awake;
  }

  #note(task: TaskRecord, devices: readonly Sleeper[], problem: "no-address" | "forbidden"): Promise<void> {
    return this.#noteIds(
      task,
      devices.map(({ id }) => id),
      problem,
    );
  }

  async #noteIds(
    task: TaskRecord,
    ids: readonly string[],
    problem: "no-address" | "forbidden" | "no-waker",
  ): Promise<void> {
    if (ids.length === 0) return;
    if (await this.#context.catalog.wakes.noteProblem(task.id, ids, problem)) this.#tell(task);
  }

  #tell({ id }: TaskRecord): void {
    this.#context.events.note("task", String(id));
  }
}

/** Wakes devices from now on. Returns the function that stops this. */
export function startWakeRounds(context: WakeContext): () => void {
  const rounds = new WakeRounds(context);
  return repeatWork({
    run: () => rounds.round(),
    onError: (error) => context.log.error({ err: error }, "cannot wake devices"),
    everyMs: roundEveryMs,
    share: roundShare,
    pauseMsMax: pauseMaxMs,
  });
}
