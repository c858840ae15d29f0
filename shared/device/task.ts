/**
 * One task on this device, from its arrival to its end: waits for the start time, gets the
 * manifest, takes part in the session, reads the package back, and runs the command (task-run.ts)
 * or upgrades the agent (task-upgrade.ts). State that must survive a restart is saved in the
 * ledger.
 */
import { CacheError, type PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import type { Progress } from "../api/schema/common.ts";
import { BugError } from "../model/assert.ts";
import { backoffMs } from "../model/backoff.ts";
import { problemReason, reason, reasonsText, reasonText, type Reason } from "../model/reason.ts";
import { keysOf } from "./package-keys.ts";
import { beginWork, releaseDisk, writtenTo } from "./image-start.ts";
import { Session } from "./session.ts";
import { taskTimeMs } from "./source-time.ts";
import { SpreadStart } from "./start-spread.ts";
import { settleReboot } from "./command-outcome.ts";
import { TaskGuard } from "./task-guard.ts";
import { endsWait, holdOf, isPackageDone, packageTitle } from "./task-hold.ts";
import type { TaskOptions } from "./task-options.ts";
import type { TaskEndLife, TaskRow } from "./task-record.ts";
import {
  nextTaskStage,
  isBlocked,
  isBackingOff,
  isInterrupted,
  isSameWait,
  type TaskStage,
  type WaitCause,
} from "./task-stage.ts";
import { progressOf, servesOthers } from "./task-status.ts";
import { isFinal, ReasonError, reasonOfError } from "./reason-error.ts";
import { wrongReadBacksMax, wrongReadBackReason } from "./wrong-read-back.ts";
import { TaskSaving } from "./task-saving.ts";
import { TaskDelivery } from "./task-delivery.ts";
import { otherTaskPollMs, startTimerMsMax, taskBackoff } from "./task-timers.ts";
import { TaskTraffic } from "./task-traffic.ts";
import { createWork, workOf } from "./task-work.ts";

export class Task {
  readonly row: TaskRow;
  stage: TaskStage = { kind: "waiting", cause: "new", note: null, isBlocked: false };
  session: Session | null = null;
  store: PackageStore | null = null;
  readonly guard: TaskGuard;
  readonly saving: TaskSaving;
  readonly #options: TaskOptions;
  readonly #delivery: TaskDelivery;
  readonly #traffic: TaskTraffic;
  readonly #abort = new AbortController();
  /** Current attempt: its number since the last progress, and the verified bytes at its start. */
  #attempt = { number: 0, bytes: 0 };
  /** `timer` cancels the timer, `reader` releases the package. */
  readonly #pending: {
    readonly start: SpreadStart;
    readonly run: ReturnType<typeof createWork>;
    timer?: () => void;
    reader?: () => void;
  };

  constructor(options: TaskOptions) {
    this.#options = options;
    this.row = options.row;
    this.guard = new TaskGuard(options.ports, () => this.row.task.setting.values);
    this.#traffic = new TaskTraffic(options.row);
    this.saving = new TaskSaving(options, () => this.#traffic.total(this.session));
    this.#delivery = new TaskDelivery(options.ports);
    this.#pending = { start: new SpreadStart(options.ports), run: this.#createWork() };
    if (this.row.life === "running") {
      this.stage = { kind: "running" };
      options.turns.take(this.id);
    } else if (this.row.life !== "open") this.stage = { kind: "ended" };
  }

  #createWork(): ReturnType<typeof createWork> {
    return createWork({
      ...this.#options,
      isHeld: () => this.#isHeld(),
      servesOthers: () => servesOthers(this),
      findPackage: async () => {
        this.store ??= await this.#options.ports.cache.find(this.row.task.packageId);
      },
      become: (stage) => {
        if (isSameWait(this.stage, stage)) return;
        this.stage = nextTaskStage(this.stage, stage);
        this.#options.onChange();
      },
      save: () => this.saving.save(),
      trySave: () => this.saving.trySave(),
      end: (life, why) => this.#end(life, why),
      fail: (error) => this.#backOff(error, true),
      restart: () => {
        this.#becomeWaiting("new", null);
        this.start();
      },
    });
  }

  get id(): number {
    return this.row.task.id;
  }

  /** Whether the task has ended, and this device still leads its session for others. */
  get isServing(): boolean {
    return this.stage.kind === "ended" && this.session !== null;
  }

  /** Whether the task has ended, and its session too. */
  get isOver(): boolean {
    return this.stage.kind === "ended" && this.session === null;
  }

  /** Whether the session of this task fetches the package. */
  fetches(packageId: string): boolean {
    return this.stage.kind === "session" && this.store?.id === packageId;
  }

  /**
   * Replaces the task by a newer version from the source, for example with a changed setting. The
   * caller saves it. Both tasks went through the schema, which gives their fields one order.
   * @returns whether it differs
   */
  update(task: AgentTask): boolean {
    const before = this.row.task;
    if (JSON.stringify(before) === JSON.stringify(task)) return false;
    this.row.task = task;
    if (this.guard.review()) this.#onGuardChanged();
    if (before.taskKey !== task.taskKey || before.packageKey !== task.packageKey) this.#changeKeys();
    if (endsWait(this.stage, before, task)) this.start();
    else if (task.paused && !before.paused) this.#pause();
    else this.#pending.run.onChanged();
    return true;
  }

  /** Begins the session again under new keys. Verified chunks stay. */
  #changeKeys(): void {
    if (!this.leaveSubnet("the keys of the session changed")) return;
    this.#becomeWaiting("new", null);
    this.start();
  }

  /** Ends download and multicast, and begins no command. One that runs continues. */
  #pause(): void {
    this.#pending.timer?.();
    this.#closeSession("the task is paused");
    const { kind } = this.stage;
    const begins = kind === "ready" && this.#pending.run.withdraw();
    if (kind === "waiting" || kind === "session" || begins) this.#isHeld();
  }

  /** Takes a new reading of the device's conditions. */
  onConditions(): void {
    if (!this.isOver && this.guard.read()) this.#onGuardChanged();
  }

  /** Pauses, resumes, or lets the session decide. A command is left to its own conditions. */
  #onGuardChanged(): void {
    const { guard, stage } = this;
    this.#options.ports.log.info({ taskId: this.id, reason: guard.text }, "guard changed");
    if (guard.pauses) this.#closeSession(guard.text ?? "");
    if (guard.pauses && isInterrupted(stage)) this.#waitForGuard();
    else if (!guard.pauses && stage.kind === "waiting" && stage.cause === "guard") this.start();
    else this.session?.onGuardChanged();
    this.#options.onChange();
  }

  #waitForGuard(): void {
    this.#pending.timer?.();
    this.#becomeWaiting("guard", this.guard.reason);
    this.#options.onChange();
  }

  /** Holds the task if it must not begin. @returns whether it is held */
  #isHeld(): boolean {
    const { clock, place } = this.#options.ports;
    // The source's clock must not keep an order from its end.
    const nowMs = Math.max(clock.wallMs(), taskTimeMs(clock, place.answered));
    const hold = holdOf(this.row.task, nowMs);
    if (hold?.kind === "expired") this.#end("cancelled", hold.reason);
    if (hold?.kind === "paused") this.#becomeWaiting("paused", hold.reason);
    if (hold !== null) this.#options.onChange();
    return hold !== null;
  }

  /** Ends what an ended task still does for others, because a new one takes its place. */
  retire(): void {
    this.#closeSession("the task begins again");
  }

  /** Called when another task of this device has completed the package. */
  packageCompleted(packageId: string): void {
    if (this.row.task.packageId !== packageId) return;
    const { stage } = this;
    if (stage.kind === "waiting" && stage.cause === "other-task")
      return this.#schedule(0, () => this.start());
    if (stage.kind === "session") this.#verify().catch((error: unknown) => this.#backOff(error));
  }

  /** Starts or resumes a waiting task; no effect in other stages, and while an attempt begins. */
  start(): void {
    if (this.stage.kind === "running") return this.#pending.run.adopt();
    if (this.stage.kind !== "waiting" || this.stage.cause === "package") return;
    this.#pending.timer?.();
    if (this.#isHeld()) return;
    const delayMs = this.#pending.start.delayMs(this.row.task);
    if (delayMs > 0) {
      this.#becomeWaiting("start-time", reason("starts-at", { atMs: this.#pending.start.dueAtMs }));
      return this.#schedule(Math.min(delayMs, startTimerMsMax), () => this.start());
    }
    if (this.guard.pauses) return this.#waitForGuard();
    this.#begin().catch((error: unknown) => this.#backOff(error));
  }

  /** Completes a task whose command took effect with a restart of the machine. */
  async checkReboot(): Promise<void> {
    if (!(await settleReboot(this.row, this.#options.ports.commands))) return;
    this.saving.trySave();
    this.#options.onChange();
  }

  /**
   * Stops the task. Resolves when its chunks are written. A running command continues to its end,
   * also after a shutdown of the agent, unless it is killed.
   * @param why `cancelled` or `killed` at the source, or `shutdown` of the agent
   */
  async stop(why: "cancelled" | "killed" | "shutdown"): Promise<void> {
    this.#pending.timer?.();
    this.#abort.abort();
    this.#closeSession(why === "shutdown" ? "the agent stops" : "the task was cancelled");
    const { run } = this.#pending;
    if (why === "shutdown") run.stop();
    else if (this.stage.kind !== "ended" && !run.cancel(why === "killed"))
      this.#end("cancelled", reason("withdrawn"));
    await this.store?.flush().catch((error: unknown) => this.saving.onUnsaved(error));
  }

  /**
   * Ends the session, because the device leaves its subnet. Returns whether `start` resumes the
   * task.
   */
  leaveSubnet(why: string): boolean {
    const resumes = this.stage.kind === "session";
    this.#closeSession(why);
    if (resumes) this.#becomeWaiting("roaming", reason("changes-subnet", { detail: why }));
    return resumes;
  }

  #becomeWaiting(cause: WaitCause, note: Reason | null, blocked = isBlocked(this.stage)): void {
    this.stage = nextTaskStage(this.stage, { kind: "waiting", cause, note, isBlocked: blocked });
  }

  #schedule(delayMs: number, work: () => void): void {
    this.#pending.timer?.();
    this.#pending.timer = this.#options.ports.clock.after(delayMs, work);
    this.#options.onChange();
  }

  /** Handles an error of the current attempt: reports it, and retries with back-off. */
  #backOff(error: unknown, needsPerson = error instanceof CacheError): void {
    if (error instanceof BugError) return this.#options.ports.onBug(error);
    // A full disk fails many writes at once; only the first failure counts.
    if (this.#abort.signal.aborted || this.stage.kind === "ended" || isBackingOff(this.stage)) return;
    const { log, random } = this.#options.ports;
    const why = reasonOfError(error);
    log.warn({ taskId: this.id, reason: reasonText(why) }, "task is held up");
    // An error of the cache, such as a full disk, and a command that cannot be started are reported
    // as failures, because a person has to act. The task is still retried.
    this.#becomeWaiting("back-off", why, needsPerson);
    this.#closeSession(reasonText(why));
    if (isFinal(error)) return this.#end("failed", why);
    this.#schedule(backoffMs(taskBackoff, this.#attempt.number++, random), () => this.start());
  }

  /**
   * Handles an error of the session. Once the package is complete, only serving others ends, so
   * that the command is not run a second time.
   */
  #onSessionError(error: unknown): void {
    if (error instanceof BugError) return this.#options.ports.onBug(error);
    if (!isPackageDone(this.stage)) return this.#backOff(error);
    const why = reasonText(problemReason(error));
    this.#options.ports.log.warn({ taskId: this.id, reason: why }, "the session ends here");
    this.#closeSession(why);
    this.#options.onChange();
  }

  async #begin(): Promise<void> {
    const { ports, offers, fetchedBy } = this.#options;
    const { task } = this.row;
    this.#becomeWaiting("package", reason("gets-manifest"));
    const attempt = this.stage;
    const begins = beginWork({ ports, task, signal: this.#abort.signal, note: this.#noteWait });
    const store = await begins.finally(() => {
      if (this.stage.kind === "ended") this.saving.unpin();
    });
    // The stage changes with a cancellation, and with an error of the former session.
    if (this.#abort.signal.aborted || this.stage !== attempt) return;
    this.store = store;
    const work = workOf(task, store.manifest, ports);
    if (work.kind === "missing") return this.#end("failed", work.reason);
    const downgrade = this.row.runs === 0 ? this.#options.downgradeReason() : null;
    if (downgrade !== null) return this.#end("superseded", downgrade);
    ports.cache.pin(task.packageId, task.id);
    offers.offer(store, keysOf(task));
    this.#delivery.begin(store);
    this.#attempt.bytes = store.bytesVerified;
    this.#becomeWaiting("package", null, false);
    this.saving.save();
    if (store.state === "complete" || store.verified.isFull) return this.#verify();
    // Only one session of a package at a time: two would download the same chunks.
    const other = fetchedBy(store.id);
    this.#delivery.waitedForOther = other !== null;
    if (other === null) return this.#openSession(store);
    this.#becomeWaiting("other-task", reason("waits-for-fetch", { taskId: other }));
    this.#schedule(otherTaskPollMs, () => this.start());
  }

  readonly #noteWait = (why: Reason): void => {
    if (this.stage.kind === "waiting") Object.assign(this.stage, { note: why });
    this.#options.onChange();
  };

  #openSession(store: PackageStore): void {
    const { ports, offers, onChange } = this.#options;
    this.stage = nextTaskStage(this.stage, { kind: "session", note: null });
    this.#delivery.sessionBegins();
    this.#pending.reader = store.addReader();
    this.session = new Session({
      ports,
      task: () => this.row.task,
      store,
      spending: this.#traffic.wan,
      guard: this.guard,
      hooks: {
        onChange: () => this.#onSessionChange(),
        onAllVerified: () => void this.#verify().catch((error: unknown) => this.#backOff(error)),
        onFailed: (why, retryAfterMs) => this.#onSessionFailure(why, retryAfterMs),
        onBadChunk: (address, deviceId) => this.#delivery.badChunks.add(address, deviceId),
        onError: (error) => this.#onSessionError(error),
      },
    });
    offers.listenToPolls(store.id, this.id, (poll, from) => this.session?.fetcher.onPoll(poll, from));
    this.session.start();
    onChange();
  }

  #onSessionFailure(why: string, retryAfterMs: number): void {
    if (this.stage.kind === "session")
      this.stage = nextTaskStage(this.stage, { kind: "session", note: problemReason(why) });
    this.#options.ports.log.warn({ taskId: this.id, reason: why, retryAfterMs }, "the session failed here");
    this.#options.onChange();
  }

  #onSessionChange(): void {
    const { session, store } = this;
    if (session) this.#delivery.observe(session);
    // Only verified bytes are progress; an election is not.
    if (store && store.bytesVerified > this.#attempt.bytes) this.#attempt.number = 0;
    if (session && session.member.role !== "idle" && this.stage.kind === "session")
      this.stage = nextTaskStage(this.stage, { kind: "session", note: null });
    const isOver = session?.member.role === "idle" && store?.state === "complete";
    if (isOver) this.#closeSession("the session ended");
    this.#options.onChange();
  }

  /** Reads the package back from the disk, before completion is reported. */
  async #verify(): Promise<void> {
    if (isPackageDone(this.stage)) return;
    const store = this.store!;
    this.row.way = this.#delivery.causeOf(store, this.session, this.row.way);
    // The last chunk may arrive while the task backs off. Later errors count again.
    this.stage = nextTaskStage(this.stage, { kind: "verifying" });
    this.#options.onChange();
    const outcome = store.state === "complete" ? await store.verifyUnchanged() : await store.complete();
    if (this.#abort.signal.aborted) return;
    if (!outcome.ok) return this.#onWrongReadBack(outcome.paths);
    this.session?.step({ type: "PackageVerified" });
    this.#onSessionChange();
    this.#options.onPackageComplete(store.id);
    if (this.#isHeld()) return;
    const work = workOf(this.row.task, store.manifest, this.#options.ports);
    // Other programs, such as the task's command, may use the disk from now on.
    const disk = releaseDisk(this.#options.ports, this.row.task);
    if (work.kind === "none" || work.kind === "missing") return this.#end("complete", writtenTo(disk));
    this.#pending.run.start({ folder: outcome.path, disk, ...work });
  }

  /** Fetches wrong files again, a few times: a virus scanner may change them each time. */
  #onWrongReadBack(paths: readonly string[]): void {
    this.row.wrongReadBacks++;
    this.saving.trySave();
    const why = wrongReadBackReason(paths, packageTitle(this.row.task), this.row.wrongReadBacks);
    if (this.row.wrongReadBacks < wrongReadBacksMax) throw new ReasonError(why);
    // As a representative this device gives the lease back with the failure, which others count.
    this.session?.step({ type: "DownloadEnded", failure: reasonText(why) });
    this.#end("failed", why);
    this.#closeSession(reasonText(why));
  }

  #end(life: TaskEndLife, why: Reason | null): void {
    const { log, metrics } = this.#options.ports;
    this.stage = nextTaskStage(this.stage, { kind: "ended" });
    Object.assign(this.row, { life, reason: why, reported: false });
    const hasRun = this.row.command !== null && (life === "complete" || life === "reboot-pending");
    if (hasRun) this.row.ranAs = this.#options.nextRunOrder();
    metrics.taskEnded(life);
    const fields = { taskId: this.id, package: packageTitle(this.row.task), life };
    log.info({ ...fields, reason: reasonsText(why ? [why] : []) }, "task ended");
    this.saving.trySave();
    this.saving.unpin();
    this.#options.onChange();
    this.#options.turns.release(this.id);
  }

  #closeSession(why: string): void {
    if (!this.session) return;
    const { session } = this;
    this.session = null;
    this.#traffic.close(session);
    if (this.store) this.#options.offers.listenToPolls(this.store.id, this.id, null);
    session.close(why);
    if (this.store?.isOpen) this.saving.trySave();
    this.#pending.reader?.();
    delete this.#pending.reader;
  }

  /** Returns the report of the task to the source. */
  progress(): Progress {
    const { wanBytesFetched, lanBytesSent } = this.#traffic.total(this.session);
    const counted = this.#delivery.counted(this.store, this.stage.kind === "ended");
    return progressOf(this, this.#options.ports.clock.nowMs(), { wanBytesFetched, lanBytesSent, ...counted });
  }
}
