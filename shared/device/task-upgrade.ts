/**
 * The upgrade of one task: waits for its turn, has the new executable checked, and then ends this
 * process of the agent for the new one. The process that runs afterwards learns how that went. An
 * attempt begins an upgrade at most once.
 */
import { assert } from "../model/assert.ts";
import { reason } from "../model/reason.ts";
import { compareVersions } from "../model/version-order.ts";
import type { UpgradeEnd, UpgradeRun } from "./ports.ts";
import type { ReadyWork } from "./task-command.ts";
import type { RunHost } from "./task-run.ts";

/**
 * Time for which a representative serves others before its own upgrade ends the session, and the
 * interval at which that is checked. After that, another device has to lead.
 */
const servingMsMax = 600_000;
const servingPollMs = 1_000;

export class TaskUpgrade {
  readonly #host: RunHost;
  readonly #abort = new AbortController();
  #timer: (() => void) | null = null;
  #isChecking = false;
  #end: "none" | "stopped" | "cancelled" = "none";

  constructor(host: RunHost) {
    this.#host = host;
  }

  /** Begins the upgrade when other devices have its package, and the task has its turn. */
  start(work: ReadyWork): void {
    assert(work.kind === "upgrade", "a task that upgrades the agent was given other work");
    const { clock } = this.#host.ports;
    this.#request(`${work.folder}/${work.path}`, clock.nowMs() + servingMsMax);
  }

  #request(path: string, servesUntilMs: number): void {
    const { turns, row, become, ports, servesOthers } = this.#host;
    if (servesOthers() && ports.clock.nowMs() < servesUntilMs) {
      become({ kind: "ready", note: reason("awaits-peers"), isBlocked: false });
      this.#timer = ports.clock.after(servingPollMs, () => this.#request(path, servesUntilMs));
      return;
    }
    turns.request({
      row,
      begin: () => this.#do(() => this.#begin(path)),
      wait: (note, isBlocked) => become({ kind: "ready", note, isBlocked }),
    });
  }

  /** A change of the task needs no answer: an upgrade waits for its turn only. */
  onChanged(): void {}

  /** Asks how the upgrade ended that an earlier process of the agent began. */
  adopt(): void {
    const { ports, findPackage } = this.#host;
    this.#do(async () => {
      const found = await ports.upgrades.adopt(this.#run());
      // Without the package, the report is shorter.
      await findPackage().catch(() => {});
      this.#onEnd(found);
    });
  }

  /** Cancels the task. @returns false if the upgrade has not begun: the task ends at once */
  cancel(_kills: boolean): boolean {
    this.#end = "cancelled";
    this.#timer?.();
    this.#abort.abort();
    return this.#host.row.life === "running";
  }

  /** Takes back the request for a turn. @returns false once the new executable is being checked */
  withdraw(): boolean {
    if (this.#isChecking || this.#host.row.life === "running") return false;
    this.#timer?.();
    this.#host.turns.release(this.#host.row.task.id);
    return true;
  }

  /** Ends the work of this process. */
  stop(): void {
    this.#end = "stopped";
    this.#timer?.();
    this.#abort.abort();
  }

  #do(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (this.#end !== "none") return;
      this.#host.fail(error);
      this.#host.turns.release(this.#host.row.task.id);
    });
  }

  async #begin(path: string): Promise<void> {
    const { row, ports, become, end } = this.#host;
    const { upgrades } = ports;
    if (this.#end !== "none" || this.#isHeld()) return;
    const newer = this.#host.downgradeReason();
    if (newer !== null) return end("superseded", newer);
    become({ kind: "ready", note: reason("checks-agent"), isBlocked: false });
    this.#isChecking = true;
    const { signal } = this.#abort;
    const found = await upgrades.prepare(path, signal).finally(() => (this.#isChecking = false));
    if (this.#end !== "none" || this.#isHeld()) return upgrades.discard();
    if (!found.isUsable) return end("failed", found.reason);
    const { version } = found;
    const order = compareVersions(version, upgrades.version);
    if (order !== 0 && (order > 0 || row.task.allowDowngrade)) return this.#upgrade(version);
    await upgrades.discard();
    if (order < 0)
      return end("superseded", reason("higher-agent", { version: upgrades.version, found: version }));
    this.#note("already-there");
    end("complete", reason("same-agent", { version: upgrades.version }));
  }

  /** Ends the turn of a task that is paused or has expired. */
  #isHeld(): boolean {
    const { isHeld, turns, row } = this.#host;
    if (!isHeld()) return false;
    turns.release(row.task.id);
    return true;
  }

  async #upgrade(version: string): Promise<void> {
    const { row, ports, become, save } = this.#host;
    row.life = "running";
    row.runs++;
    this.#note("unknown");
    try {
      // Saved before the upgrade begins, so that it begins at most once.
      save();
      become({ kind: "running" });
      ports.upgrades.begin({ ...this.#run(), version, confirmMs: row.task.setting.values.upgradeConfirmMs });
    } catch (error) {
      Object.assign(row, { life: "open", runs: row.runs - 1, command: null });
      throw error;
    }
  }

  #onEnd(found: UpgradeEnd | null): void {
    const { end, ports } = this.#host;
    if (this.#end === "stopped") return;
    const running = ports.upgrades.version;
    this.#note(found === null ? "unknown" : found.why === null ? "success" : "failed");
    if (found === null) return end("failed", reason("upgrade-unknown", { version: running }));
    const { version, before, why } = found;
    if (why === null) return end("complete", reason("upgraded", { version, before }));
    end("failed", reason("rolled-back", { version, problem: why, before: running }));
  }

  /** Notes the outcome in the row, as that of a command without exit code. */
  #note(meaning: "unknown" | "already-there" | "success" | "failed"): void {
    const { row, ports } = this.#host;
    const nowMs = Math.floor(ports.clock.wallMs());
    row.command = {
      meaning,
      exitCode: null,
      timedOut: false,
      outputTail: "",
      runs: row.runs,
      startedAtMs: row.command?.startedAtMs ?? nowMs,
      endedAtMs: meaning === "unknown" ? null : nowMs,
    };
  }

  #run(): UpgradeRun {
    const { task, runs, command } = this.#host.row;
    return { taskId: task.id, key: `${task.attempt} ${command?.startedAtMs ?? 0}.${runs}` };
  }
}
