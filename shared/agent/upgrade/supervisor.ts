/**
 * Supervisor of an agent that is or was upgraded. The process that a person or a service manager
 * started must not end, so it starts the agent as a child: first the new version for a trial, from
 * its file next to the executable. Only a version that has checked in gets the executable's place.
 *
 * A power cut or a kill during the trial thus leaves the old executable in its place. Its next
 * start continues the upgrade, and gives it up after a few starts.
 */
import { copyLedger, lockFolder, removeLedgerCopy, restoreLedger } from "../../cache/index.ts";
import {
  exitedText,
  notPlacedText,
  notTriedText,
  silentText,
  startsText,
} from "../../device/upgrade-text.ts";
import type { Logger } from "../../log.ts";
import { formatDuration } from "../../model/quantity.ts";
import { version } from "../../version.ts";
import { pathsBeside } from "./executable.ts";
import { discardNext, place } from "./placement.ts";
import { upgradeStatus, type SupervisedAs } from "./supervised.ts";
import { SupervisedProcess, type SupervisedEnd } from "./supervised-process.ts";
import {
  isUnderWay,
  readUpgrade,
  writeUpgrade,
  type UpgradeState,
  type UpgradeStep,
} from "./upgrade-state.ts";

/** Starts of a new version that were ended from outside, after which the old one is kept. */
const trialStartsMax = 3;

type SupervisorOptions = {
  readonly dataFolder: string;
  /** Path of the executable that the service manager starts. */
  readonly executable: string;
  /** Words of the command line after the executable. */
  readonly words: readonly string[];
  readonly log: Logger;
};

export class Supervisor {
  readonly #options: SupervisorOptions;
  #child: SupervisedProcess | null = null;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Asks the agent to stop; `run` then resolves. */
  stop(): void {
    this.#isStopping = true;
    this.#child?.stop();
  }

  /**
   * Runs the agent, and its upgrades, until it ends otherwise.
   * @returns its exit status
   * @throws CacheError when the folder has another supervisor
   */
  async run(): Promise<number> {
    const { dataFolder, executable, log } = this.#options;
    const lock = lockFolder(dataFolder, "supervisor");
    try {
      let isFirst = true;
      for (;;) {
        await this.#finishUpgrade(isFirst);
        isFirst = false;
        if (this.#isStopping) return 0;
        const { status } = await this.#start(executable, "agent");
        const isAsked = status === upgradeStatus && readUpgrade(dataFolder)?.step.kind === "prepared";
        if (!isAsked) return status;
        log.info("the agent asks for its upgrade");
      }
    } finally {
      lock.release();
    }
  }

  /**
   * Gives up an upgrade of another executable or version than this one: a person has installed it
   * since.
   */
  async #checkPresent(): Promise<void> {
    const { dataFolder, executable } = this.#options;
    const state = readUpgrade(dataFolder);
    if (state === null || !isUnderWay(state) || state.step.kind === "confirmed") return;
    if (state.executable !== executable || state.before !== version)
      await this.#giveUp(state, notTriedText(`version ${version} was installed meanwhile`));
  }

  /**
   * Takes the steps of an upgrade until it is over. Without room for its state, it is not tried.
   * @param isFirst whether this process has just begun to supervise
   */
  async #finishUpgrade(isFirst: boolean): Promise<void> {
    const { dataFolder, log } = this.#options;
    try {
      if (isFirst) await this.#checkPresent();
      for (;;) {
        const state = readUpgrade(dataFolder);
        if (this.#isStopping || state === null || !isUnderWay(state)) return;
        await this.#step(state);
      }
    } catch (error) {
      log.error({ error: String(error) }, "the upgrade cannot continue: the present version runs");
    }
  }

  async #step(state: UpgradeState): Promise<void> {
    switch (state.step.kind) {
      case "prepared":
        try {
          copyLedger(this.#options.dataFolder);
        } catch (error) {
          return this.#giveUp(state, notTriedText(`the ledger cannot be copied: ${textOf(error)}`));
        }
        return this.#become(state, { kind: "trial", starts: 0 });
      case "trial":
        return this.#try(state, state.step.starts);
      case "confirmed":
        return this.#place(state);
      default:
    }
  }

  async #place(state: UpgradeState): Promise<void> {
    try {
      await place(state.executable);
    } catch (error) {
      return this.#giveUp(state, notPlacedText(textOf(error)));
    }
    this.#options.log.info({ version: state.version }, "the new version of the agent is in place");
    removeLedgerCopy(this.#options.dataFolder);
    this.#become(state, { kind: "placed" });
  }

  /** Starts the new version, and waits until it has checked in, has ended or its time is over. */
  async #try(state: UpgradeState, starts: number): Promise<void> {
    const { log } = this.#options;
    if (starts >= trialStartsMax) return this.#giveUp(state, startsText(starts));
    this.#become(state, { kind: "trial", starts: starts + 1 });
    log.info({ version: state.version, before: state.before }, "the new version of the agent is tried");
    let isLate = false;
    const limit = setTimeout(() => {
      isLate = true;
      this.#child?.kill();
    }, state.confirmMs);
    try {
      const end = await this.#start(pathsBeside(state.executable).next, "trial");
      // The new version may have checked in just before it was killed.
      if (readUpgrade(this.#options.dataFolder)?.step.kind === "confirmed" || this.#isStopping) return;
      const why = isLate ? silentText(formatDuration(state.confirmMs)) : exitedText(end.status, end.lastLine);
      await this.#giveUp(state, why);
    } catch (error) {
      await this.#giveUp(state, notTriedText(textOf(error)));
    } finally {
      clearTimeout(limit);
    }
  }

  /** Keeps the old version. @param why what the new version did */
  async #giveUp(state: UpgradeState, why: string): Promise<void> {
    const { dataFolder, log } = this.#options;
    log.error({ version: state.version, why }, "the new version of the agent is not kept");
    if (restoreLedger(dataFolder)) log.warn("the ledger is as it was before the new version was tried");
    removeLedgerCopy(dataFolder);
    this.#become(state, { kind: "failed", why });
    await discardNext(state.executable).catch((error: unknown) =>
      log.warn({ error: String(error) }, "the file of the new version was not removed"),
    );
  }

  #become(state: UpgradeState, step: UpgradeStep): void {
    writeUpgrade(this.#options.dataFolder, { ...state, step });
  }

  async #start(path: string, as: SupervisedAs): Promise<SupervisedEnd> {
    this.#child = new SupervisedProcess(path, this.#options.words, as);
    try {
      return await this.#child.ended;
    } finally {
      this.#child = null;
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
