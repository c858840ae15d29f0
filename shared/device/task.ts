/**
 * One task on this device, from the day it is known to the day it ended: waits for its time, gets the manifest, takes
 * part in the session, reads the package back, runs the command. What it says of itself goes to `status` and to the
 * source; what must survive a restart goes to the ledger.
 */
import { join } from "node:path";
import { CacheError, type PackageStore } from "../cache/index.ts";
import type { AgentTask } from "../api/schema/agent.ts";
import type { Progress } from "../api/schema/common.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { ManifestError } from "../model/manifest.ts";
import { BadChunkReports } from "./bad-chunk-reports.ts";
import { ByteRate } from "./byte-rate.ts";
import type { AgentContext } from "./context.ts";
import type { Offers } from "./offers.ts";
import { reasonForWay, DeliveryLog } from "./delivery-log.ts";
import { describe, stateOf } from "./task-status.ts";
import { Session } from "./session.ts";
import { deliveryOf } from "./delivery-text.ts";
import type { TaskRow } from "./task-record.ts";
import type { RunnerStage } from "./task-view.ts";

/**
 * Back-off of a task that an error holds up, such as an unreachable source or a full disk. A minute
 * at most, so that the task continues soon after somebody made room.
 */
const taskBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] };
/** For a command to end when the agent does; by then it was killed. */
const commandEndMs = 2_500;
/** Looks again whether another task still fetches the package; its completion is told at once. */
const otherEveryMs = 2_000;

export type TaskRunnerOptions = {
  context: AgentContext;
  holdings: Offers;
  row: TaskRow;
  /** DIR/tasks: outputs of commands. */
  outputFolder: string;
  /** There is something new to say. */
  onChange: () => void;
  /** The task of this device whose session fetches the package just now. */
  fetchedBy: (packageId: string) => number | null;
  /** The package is complete: other tasks of this device may wait for it too. */
  onPackageComplete: (packageId: string) => void;
};

export class TaskRunner {
  readonly row: TaskRow;
  stage: RunnerStage = "waiting";
  /** Why it waits. */
  note = "";
  /** It waits for something that a person has to mend. */
  isBlocked = false;
  session: Session | null = null;
  store: PackageStore | null = null;
  #storedElsewhere = { wan: 0, lan: 0 };
  #rate = new ByteRate(0, 0);
  #attempts = 0;
  #waitsForOther = false;
  readonly #way = new DeliveryLog();
  readonly #blames = new BadChunkReports();
  #dropsAtStart = 0;
  /** Under way, or over. */
  #command: Promise<unknown> | null = null;
  #isHeldUp = false;
  #bytesAtStart = 0;
  /** Lets the package be evicted again. */
  #letGo: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #abort = new AbortController();
  readonly #options: TaskRunnerOptions;

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
    this.row = options.row;
    if (this.row.life === "running") {
      this.#end(
        "failed",
        "the agent was stopped while the command ran, its outcome is unknown: create the task again to repeat it",
      );
    }
    if (this.row.life !== "open") this.stage = "ended";
  }

  get id(): number {
    return this.row.task.id;
  }

  get isOver(): boolean {
    return this.stage === "ended" && this.session === null;
  }

  /** The source sent the task again, perhaps with a newer setting. */
  update(task: AgentTask): void {
    this.row.task = task;
    this.trySave();
  }

  /** Another task of this device completed the package. */
  packageCompleted(packageId: string): void {
    if (this.row.task.packageId !== packageId) return;
    if (this.#waitsForOther) return this.#later(0, () => this.start());
    if (this.stage !== "session") return;
    this.#full().catch((error: unknown) => this.#hindered(error));
  }

  start(): void {
    if (this.stage !== "waiting") return;
    this.#isHeldUp = false;
    const delayMs = this.row.task.startAtMs - Date.now();
    if (delayMs > 0) {
      this.note = `starts at ${new Date(this.row.task.startAtMs).toISOString()}`;
      return this.#later(Math.min(delayMs, 3_600_000), () => this.start());
    }
    this.#begin().catch((error: unknown) => this.#hindered(error));
  }

  /** Cancelled by the source, or the agent ends. */
  async stop(why: "cancelled" | "shutdown"): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#abort.abort();
    this.#closeSession(why === "cancelled" ? "the task was cancelled" : "the agent stops");
    if (why === "cancelled" && this.stage !== "ended")
      this.#end("cancelled", "cancelled by the administrator");
    await Promise.race([this.#command?.catch(() => {}), Bun.sleep(commandEndMs)]);
    await this.store?.flush().catch((error: unknown) => this.#unsaved(error));
  }

  /** The device leaves its subnet: the session ends here. True: `start` takes the task up again. */
  leaveSubnet(reason: string): boolean {
    const goesOn = this.stage === "session";
    this.#closeSession(reason);
    if (goesOn) Object.assign(this, { stage: "waiting", note: reason });
    return goesOn;
  }

  /** As `save`, for what need not survive: a full disk is no reason to stop. */
  trySave(): void {
    try {
      this.save();
    } catch (error) {
      this.#unsaved(error);
    }
  }

  #unsaved(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.context.log.warn({ taskId: this.id, reason }, "the task's state was not saved");
  }

  save(): void {
    this.row.wanBytesFetched = this.#wanBytes;
    this.row.lanBytesSent = this.#lanBytes;
    this.#options.context.cache.ledger.saveTask(this.id, this.row);
  }

  #later(delayMs: number, work: () => void): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(work, delayMs);
    this.#options.onChange();
  }

  /** Something outside is not as it should be: say so, and try again. */
  #hindered(error: unknown): void {
    // A full disk fails many writes at once: the first one counts.
    if (this.#abort.signal.aborted || this.stage === "ended" || this.#isHeldUp) return;
    this.#isHeldUp = true;
    const { context } = this.#options;
    this.note = error instanceof Error ? error.message : String(error);
    context.log.warn({ taskId: this.id, reason: this.note }, "task is held up");
    this.#closeSession(this.note);
    if (error instanceof ManifestError) return this.#end("failed", this.note);
    this.stage = "waiting";
    // A full disk is reported as a failure, and mended when somebody makes room.
    this.isBlocked = error instanceof CacheError;
    this.#later(backoffMs(taskBackoff, this.#attempts++, context.random), () => this.start());
  }

  /** Its own package is whole, only what it sends to others goes wrong: the command is not begun a second time. */
  #sessionErred(error: unknown): void {
    if (this.stage !== "verifying" && this.stage !== "running" && this.stage !== "ended")
      return this.#hindered(error);
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.context.log.warn({ taskId: this.id, reason }, "the session ends here");
    this.#closeSession(reason);
    this.#options.onChange();
  }

  async #begin(): Promise<void> {
    const { context, holdings } = this.#options;
    const { task } = this.row;
    this.note = "gets the manifest";
    const found = await context.cache.find(task.packageId);
    const store = found?.state === "complete" ? found : await this.#beginPackage(found);
    if (this.#abort.signal.aborted) {
      if (this.stage === "ended") context.cache.unpin(task.packageId, task.id);
      return;
    }
    this.store = store;
    this.isBlocked = false;
    context.cache.pin(task.packageId, task.id);
    holdings.offer(store, Buffer.from(task.packageKey, "base64"));
    this.note = "";
    this.#rate = new ByteRate(store.bytesVerified, context.nowMs());
    this.#bytesAtStart = store.bytesVerified;
    this.save();
    if (store.state === "complete" || store.verified.isFull) return this.#full();
    // One session of a package at a time: two would download the same chunks.
    const other = this.#options.fetchedBy(store.id);
    this.#waitsForOther = other !== null;
    if (other !== null) {
      this.note = `waits for task ${other}, which fetches the same package`;
      return this.#later(otherEveryMs, () => this.start());
    }
    this.stage = "session";
    this.#dropsAtStart = context.lan.kernelDrops ?? 0;
    this.#letGo = store.addReader();
    this.session = new Session(context, () => this.row.task, store, {
      onChange: () => this.#changed(),
      onAllVerified: () => void this.#full().catch((error: unknown) => this.#hindered(error)),
      onFailed: (reason, retryAfterMs) => this.#sessionFailed(reason, retryAfterMs),
      onBadChunk: (address, deviceId) => this.#blames.add(address, deviceId),
      onError: (error) => this.#sessionErred(error),
    });
    holdings.listenToPolls(store.id, this.id, (poll, from) => this.session?.fetcher.onPoll(poll, from));
    this.session.start();
    this.#options.onChange();
  }

  /** Reserves the room for what is missing. */
  async #beginPackage(found: PackageStore | null): Promise<PackageStore> {
    const { context } = this.#options;
    const { packageId } = this.row.task;
    const signed = found?.signed ?? (await context.client.manifest(packageId));
    return context.cache.begin(signed, context.publisherKeys, { id: this.id, packageId });
  }

  #sessionFailed(reason: string, retryAfterMs: number): void {
    this.note = reason;
    this.row.reason = reason;
    this.#options.context.log.warn({ taskId: this.id, reason, retryAfterMs }, "the session failed here");
    this.#options.onChange();
  }

  #changed(): void {
    const { session, store } = this;
    if (session) this.#way.see(session.member, session.unicastReason);
    // Being elected again is no progress.
    if (store && store.bytesVerified > this.#bytesAtStart) this.#attempts = 0;
    if (session && session.member.role !== "idle") this.row.reason = "";
    const isOver = session?.member.role === "idle" && store?.state === "complete";
    if (isOver) this.#closeSession("the session ended");
    this.#options.onChange();
  }

  /** Every chunk is there: read them back from the disk before anybody is told. */
  async #full(): Promise<void> {
    if (this.stage === "verifying" || this.stage === "running" || this.stage === "ended") return;
    const store = this.store!;
    this.row.way = this.#wayReason(store);
    this.stage = "verifying";
    // The last chunk may come while the task is held up: what goes wrong from now on counts again.
    this.#isHeldUp = false;
    this.note = "";
    this.#options.onChange();
    const outcome = await store.complete();
    if (this.#abort.signal.aborted) return;
    if (!outcome.ok) {
      const chunks = outcome.badChunks.length;
      throw new Error(
        `${chunks} chunks of ${this.#name} were wrong when read back from the disk: they are fetched again (check the disk)`,
      );
    }
    this.session?.step({ type: "PackageVerified" });
    this.#changed();
    this.#options.onPackageComplete(store.id);
    if (this.row.task.action === "run" && this.row.task.command)
      await this.#run(outcome.path, this.row.task.command);
    else this.#end("complete", "");
  }

  #wayReason(store: PackageStore): string {
    const { session, row } = this;
    if (!session) {
      // An earlier life of the agent may have noted it.
      return row.way || (this.#waitsForOther ? "fetched by another task" : "it was here already");
    }
    const dropsNow = this.#options.context.lan.kernelDrops ?? 0;
    return reasonForWay(store.originBytes, this.#way.notes, {
      diskOverflow: session.receiver.counters.overflow,
      kernelDrops: dropsNow - this.#dropsAtStart,
    });
  }

  get #name(): string {
    return `${this.row.task.packageName} ${this.row.task.packageVersion}`;
  }

  async #run(folder: string, command: string): Promise<void> {
    const { task } = this.row;
    const { values } = task.setting;
    this.stage = "running";
    this.#beginRunning();
    this.#options.onChange();
    const running = this.#options.context.runCommand({
      command,
      folder,
      outputFile: join(this.#options.outputFolder, `${task.id}.log`),
      timeoutMs: values.commandTimeoutMs,
      environment: {
        FLOCKCAST_PACKAGE: task.packageName,
        FLOCKCAST_VERSION: task.packageVersion,
        FLOCKCAST_TASK: String(task.id),
      },
      signal: this.#abort.signal,
    });
    this.#command = running;
    const outcome = await running;
    this.row.command = outcome;
    if (this.#abort.signal.aborted) return;
    if (outcome.timedOut)
      return this.#end(
        "failed",
        `the command ran longer than ${values.commandTimeoutMs / 1_000} s and was ended`,
      );
    const succeeded = outcome.exitCode !== null && values.commandSuccessExitCodes.includes(outcome.exitCode);
    if (succeeded) return this.#end("complete", "");
    this.#end(
      "failed",
      `the command ended with exit code ${outcome.exitCode ?? "none (killed)"}: its output is in tasks/${task.id}.log`,
    );
  }

  /** On the disk before the command begins: at most once. */
  #beginRunning(): void {
    this.row.life = "running";
    try {
      this.save();
    } catch (error) {
      this.row.life = "open";
      throw error;
    }
  }

  #end(life: "complete" | "failed" | "cancelled", reason: string): void {
    const { context } = this.#options;
    this.stage = "ended";
    Object.assign(this.row, { life, reason, reported: false });
    this.note = reason;
    context.metrics.taskEnded(life);
    context.log.info({ taskId: this.id, package: this.#name, life, reason }, "task ended");
    this.trySave();
    try {
      context.cache.unpin(this.row.task.packageId, this.id);
    } catch (error) {
      this.#unsaved(error);
    }
    this.#options.onChange();
  }

  #closeSession(reason: string): void {
    if (!this.session) return;
    const { session } = this;
    this.session = null;
    this.#storedElsewhere.wan += session.representative.wanBytes;
    this.#storedElsewhere.lan += session.lanBytes;
    if (this.store) this.#options.holdings.listenToPolls(this.store.id, this.id, null);
    session.close(reason);
    if (this.store?.isOpen) this.trySave();
    this.#letGo?.();
    this.#letGo = null;
  }

  get #wanBytes(): number {
    return this.#base.wan + this.#storedElsewhere.wan + (this.session?.representative.wanBytes ?? 0);
  }

  get #lanBytes(): number {
    return this.#base.lan + this.#storedElsewhere.lan + (this.session?.lanBytes ?? 0);
  }

  /** What earlier lives of the agent already counted. */
  get #base(): { wan: number; lan: number } {
    this.#earlier ??= { wan: this.row.wanBytesFetched, lan: this.row.lanBytesSent };
    return this.#earlier;
  }
  #earlier: { wan: number; lan: number } | null = null;

  progress(): Progress {
    const { store, session, row } = this;
    const nowMs = this.#options.context.nowMs();
    const bytesVerified = store?.bytesVerified ?? 0;
    const role = session?.member.role ?? "idle";
    return {
      taskId: row.task.id,
      state: stateOf(this),
      role: role === "idle" ? "none" : role,
      term: session?.member.term ?? 0,
      bytesTotal: store?.manifest.sizeBytes ?? 0,
      bytesVerified,
      from: store ? { ...store.originBytes } : { wan: 0, multicast: 0, peers: 0, cache: 0 },
      wanBytesFetched: this.#wanBytes,
      lanBytesSent: this.#lanBytes,
      rateBps: this.stage === "ended" ? 0 : this.#rate.at(bytesVerified, nowMs),
      way: deliveryOf(this),
      reason: describe(this, nowMs).slice(0, 1_000),
      command: row.command,
      wrongFrom: this.#blames.list(),
    };
  }
}
