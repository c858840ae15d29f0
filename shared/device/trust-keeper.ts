/**
 * The device's judgement of what the source sends: nothing counts but what keys of the trust file
 * have signed. The source may stop tasks, and choose among what was signed for this device.
 */
import * as v from "valibot";
import {
  agentSettingSchema,
  agentTaskSchema,
  type AgentSetting,
  type AgentTask,
  type AssignedTask,
  type CheckInResponse,
} from "../api/schema/agent.ts";
import type { Ledger } from "../cache/index.ts";
import {
  resolveSetting,
  rootSetting,
  settingDepthMax,
  type SettingNode,
} from "../model/setting-inheritance.ts";
import {
  beginTrust,
  checkOrder,
  extendTrust,
  filesAfter,
  matchOf,
  payloadDigest,
  publisherKeysFor,
  readOrder,
  readPayload,
  rootFingerprint,
  signerAheadMs,
  TrustError,
  trustFileSchema,
  type Freshness,
  type OrderKind,
  type Orders,
  type Signed,
  type TaskOrder,
  type TrustAnchor,
  type TrustChain,
  type TrustFile,
} from "../model/trust/index.ts";
import type { TargetView } from "../model/target/index.ts";
import { logRefused, refusedMax, type RefusedStatement } from "./refused-statements.ts";
import {
  emptyTrust,
  noteOrder,
  noteSetting,
  readTrust,
  settingFloor,
  type TrustRecord,
} from "./trust-record.ts";

type Statements = Pick<
  CheckInResponse,
  "sourceTimeMs" | "trust" | "ownSetting" | "settings" | "assignments"
> & {
  readonly tasks: readonly AssignedTask[];
};

/** The part of a check-in's answer that counts. */
export type TrustedAnswer = {
  readonly tasks: readonly AgentTask[];
  /** Null: the one that the device has stays. */
  readonly ownSetting: AgentSetting | null;
  readonly refused: readonly RefusedStatement[];
  /** Versions of the trust file that the source lacks. */
  readonly handBack: readonly Signed[];
};
export type TrustStatus = {
  /** Version of the trust file; 0: none yet. */
  readonly version: number;
  /** SHA-256 of the roots, hex; empty: none yet. */
  readonly root: string;
  /** Whether the source holds the keys. */
  readonly embedded: boolean;
  /** Time until which the source's word is fresh; null: no operator has given one. */
  readonly freshUntilMs: number | null;
  readonly isStale: boolean;
  readonly refused: readonly RefusedStatement[];
};

type KeeperOptions = {
  readonly ledger: Pick<Ledger, "trust" | "saveTrust">;
  /** `root` is null if the token did not name one: then nothing counts. */
  readonly anchor: { readonly deployment: number; readonly root: string | null };
  readonly wallMs: () => number;
  /** The device as it knows itself. */
  readonly self: () => TargetView;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly error: (fields: object, message: string) => void;
  };
};

const noToken =
  "this device has no trust file yet: enrol it with a token of this source that names its roots";

export class TrustKeeper {
  readonly #options: KeeperOptions;
  #record: TrustRecord;
  #chain: TrustChain | null;
  #refused: readonly RefusedStatement[] = [];

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#record = readTrust(options.ledger.trust());
    this.#chain = this.#storedChain();
    // The record of another deployment, or of roots that a newer token does not name, has no say.
    if (this.#chain === null) this.#record = emptyTrust();
  }

  #storedChain(): TrustChain | null {
    const { files } = this.#record;
    const { deployment, root } = this.#options.anchor;
    try {
      const roots = files.map((file) => rootFingerprint(readPayload(trustFileSchema, file).root));
      const [first] = roots;
      // A token that names other roots is a person's word against the ones of the ledger.
      if (first === undefined || (root !== null && !roots.includes(root))) return null;
      return beginTrust(files, { deployment, root: first });
    } catch (error) {
      if (error instanceof TrustError) return null;
      throw error;
    }
  }

  /** Null before the first check-in. */
  get file(): TrustFile | null {
    return this.#chain?.current ?? null;
  }

  /** State that the source has to know: it sends what is newer. */
  get known(): { version: number; assignments: number } {
    const { assignments } = this.#record;
    return {
      version: this.file?.version ?? 0,
      assignments: assignments === null ? 0 : readOrder("assignments", assignments).sequence,
    };
  }

  /** Returns the raw keys that may sign the manifest of a package. */
  publisherKeys(packageName: string): Uint8Array[] {
    return this.file === null ? [] : publisherKeysFor(this.file, packageName);
  }

  /** Raw keys of all publishers, for packages whose names are not known yet. */
  get allPublisherKeys(): Uint8Array[] {
    const { publishers } = this.file ?? { publishers: [] };
    return publishers.map(({ key }) => new Uint8Array(Buffer.from(key, "hex")));
  }

  get status(): TrustStatus {
    const { file } = this;
    const freshness = this.#freshness();
    return {
      version: file?.version ?? 0,
      root: file === null ? "" : rootFingerprint(file.root),
      embedded: file?.embedded ?? false,
      freshUntilMs: freshness?.expiresAtMs ?? null,
      isStale: freshness === null || freshness.expiresAtMs <= this.#nowMs(),
      refused: this.#refused,
    };
  }

  #freshness(): Freshness | null {
    const { freshness } = this.#record;
    return freshness === null ? null : readOrder("freshness", freshness);
  }

  /**
   * Time for trust: the device's clock, but never before the newest signed time. The source's clock
   * has no say: an old order would count again.
   */
  #nowMs(): number {
    const signed = [this.file?.issuedAtMs ?? 0, this.#freshness()?.issuedAtMs ?? 0];
    return Math.max(this.#options.wallMs(), ...signed);
  }

  /** Returns what counts of an answer, and stores what has to survive a restart. */
  take(answer: Statements): TrustedAnswer {
    const refused: RefusedStatement[] = [];
    const attempt = (what: string, taskId: number | null, work: () => void): void => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        if (refused.length < refusedMax)
          refused.push({ what, taskId, code: error.code, text: error.message });
      }
    };
    const { freshness, files, version } = answer.trust;
    const before = this.#recordText();
    const filesBefore = this.#record.files;
    attempt("trust file", null, () => this.#takeFiles(files));
    if (freshness !== null)
      attempt("freshness", null, () => this.#takeFreshness(freshness, answer.sourceTimeMs));
    for (const signed of answer.settings) attempt("setting", null, () => this.#takeSetting(signed));
    const { assignments } = answer;
    if (assignments !== null) attempt("assignments", null, () => this.#takeAssignments(assignments));
    let own: AgentSetting | null = null;
    attempt("own setting", null, () => {
      own = savable(agentSettingSchema, this.#ownSetting(answer.ownSetting.name));
    });
    const tasks: AgentTask[] = [];
    for (const task of answer.tasks)
      attempt(`task ${task.id}`, task.id, () => tasks.push(this.#taskOf(task, own)));
    if (this.#record.files !== filesBefore || this.#recordText() !== before) this.#save();
    logRefused(this.#options.log, refused, this.#refused);
    this.#refused = refused;
    const handBack =
      this.#chain === null || version >= this.#chain.current.version ? [] : filesAfter(this.#chain, version);
    return { tasks, ownSetting: own, refused, handBack };
  }

  /** The record without the files, which are long. */
  #recordText(): string {
    return JSON.stringify({ ...this.#record, files: null });
  }

  #takeFiles(files: readonly Signed[]): void {
    const before = this.#chain;
    const { deployment, root } = this.#options.anchor;
    if (before === null && root === null) throw new TrustError("wrong-root", noToken);
    const anchor: TrustAnchor = { deployment, root: root ?? "" };
    const after = before === null ? beginTrust(files, anchor) : extendTrust(before, files);
    if (after.current === before?.current) return;
    this.#chain = after;
    this.#record.files = after.files;
    const { version } = after.current;
    this.#options.log.warn({ version, root: rootFingerprint(after.current.root) }, "new trust file");
    this.#dropRevoked();
  }

  /** Drops stored orders whose keys no longer count. */
  #dropRevoked(): void {
    const record = this.#record;
    const kept = Object.entries(record.settings).filter(([, signed]) => this.#counts("setting", signed));
    record.settings = Object.fromEntries(kept);
    if (record.assignments && !this.#counts("assignments", record.assignments)) record.assignments = null;
    if (record.freshness && !this.#counts("freshness", record.freshness)) record.freshness = null;
  }

  #counts(kind: OrderKind, signed: Signed): boolean {
    try {
      this.#check(kind, signed, null);
      return true;
    } catch (error) {
      if (error instanceof TrustError) return false;
      throw error;
    }
  }

  #check<K extends OrderKind>(kind: K, signed: Signed, device: TargetView | null): Orders[K] {
    if (this.file === null) throw new TrustError("wrong-root", noToken);
    return checkOrder(kind, signed, { trust: this.file, nowMs: this.#nowMs(), device });
  }

  /**
   * Whether a signed time is ahead of the device's clock. A clock before the trust file is wrong:
   * the source's clock is the bound then.
   */
  #isAhead(issuedAtMs: number, sourceTimeMs: number): boolean {
    const wallMs = this.#options.wallMs();
    const fileMs = this.file?.issuedAtMs ?? 0;
    return issuedAtMs > signerAheadMs + (wallMs < fileMs ? Math.max(sourceTimeMs, fileMs) : wallMs);
  }

  #takeFreshness(signed: Signed, sourceTimeMs: number): void {
    const given = this.#check("freshness", signed, null);
    const known = this.#freshness();
    // Time never goes back from it: with a wrong one, no order would count any more.
    if (this.#isAhead(given.issuedAtMs, sourceTimeMs))
      throw new TrustError(
        "ahead",
        `an operator's word is of ${new Date(given.issuedAtMs).toISOString()}: check the clocks of device and operator`,
      );
    if (given.trustVersion > this.file!.version)
      throw new TrustError("gap", `the source keeps back version ${given.trustVersion} of the trust file`);
    const isOlder = known !== null && given.issuedAtMs < known.issuedAtMs;
    if (isOlder && !this.#isAhead(known.issuedAtMs, sourceTimeMs))
      throw new TrustError("older", "the source's word is older than one that it gave before");
    this.#record.freshness = signed;
  }

  #takeSetting(signed: Signed): void {
    const given = this.#check("setting", signed, null);
    const { sequence, name } = given;
    const floor = settingFloor(this.#record, name);
    const isSame = this.#record.settings[name]?.payload === signed.payload;
    if (sequence < floor || (sequence === floor && !isSame && Object.hasOwn(this.#record.settings, name)))
      throw new TrustError("older", `the source gives an older version of the setting "${name}"`);
    noteSetting(this.#record, name, signed);
  }

  #takeAssignments(signed: Signed): void {
    const given = this.#check("assignments", signed, null);
    const { assignments } = this.#record;
    const isSame = assignments?.payload === signed.payload;
    if (given.sequence < this.known.assignments || (given.sequence === this.known.assignments && !isSame))
      throw new TrustError("older", "the source gives older assignments of settings");
    this.#record.assignments = signed;
  }

  /** @throws TrustError when an order of a setting or of its parents is missing */
  #resolved(name: string): AgentSetting {
    const tree = new Map<string, SettingNode>();
    for (let next: string | null = name; next !== null;) {
      if (tree.has(next) || tree.size >= settingDepthMax)
        throw new TrustError("malformed", `the settings above "${name}" have a cycle, or are too many`);
      const node = this.#node(next);
      tree.set(next, node);
      next = node.parent;
    }
    if (!tree.has(rootSetting))
      throw new TrustError("malformed", `the settings above "${name}" do not lead to "${rootSetting}"`);
    const { values, version, parents } = resolveSetting(tree, name);
    return { name, version, parents: [...parents], values };
  }

  #node(name: string): SettingNode {
    if (Object.hasOwn(this.#record.settings, name)) return readOrder("setting", this.#record.settings[name]!);
    // The built-in values need no order.
    if (name === rootSetting) return { name, version: 1, parent: null, differences: {} };
    throw new TrustError("too-few-signatures", `no order states the setting "${name}"`);
  }

  /**
   * Returns the setting that the source gives the device, if the assignments allow it.
   * @throws TrustError
   */
  #ownSetting(name: string): AgentSetting {
    const { assignments } = this.#record;
    const list = assignments === null ? [] : readOrder("assignments", assignments).assignments;
    const self = this.#options.self();
    for (const { setting, target } of list) {
      const truth = matchOf(target, self);
      if (setting === name && truth !== false) return this.#resolved(name);
      if (truth === true)
        throw new TrustError(
          "not-targeted",
          `the setting "${setting}" is assigned to this device, not "${name}"`,
        );
    }
    if (name === rootSetting) return this.#resolved(name);
    throw new TrustError("not-targeted", `the setting "${name}" is not assigned to this device`);
  }

  /** @param own the device's own setting; null: the source's claim does not count */
  #taskOf(given: AssignedTask, own: AgentSetting | null): AgentTask {
    const { id, order: signed } = given;
    const known = this.#record.orders[id];
    // The result of a task may be why its target no longer matches. Only the text that was accepted
    // before is known: another one may have its sequence.
    const digest = payloadDigest(signed);
    const isKnown = known !== undefined && known.digest === digest;
    const order = this.#check("task", signed, isKnown ? null : this.#options.self());
    if (order.taskId !== id) throw new TrustError("malformed", `the order is that of task ${order.taskId}`);
    if (known !== undefined && !isKnown && order.sequence <= known.sequence)
      throw new TrustError("older", "the device has a newer order of this task");
    const setting =
      order.setting === null ? (own ?? this.#resolved(rootSetting)) : this.#resolved(order.setting);
    const task = savable(agentTaskSchema, agentTaskOf(order, given, setting));
    noteOrder(this.#record, id, { ...order, digest });
    return task;
  }

  #save(): void {
    try {
      this.#options.ledger.saveTrust(this.#record);
    } catch (error) {
      // On a full disk it counts all the same until a restart: the source sends it again.
      this.#options.log.error({ error: String(error) }, "the trust file was not saved");
    }
  }
}

/**
 * Returns a value that the ledger can give back after a restart: orders have wider fields.
 * @throws TrustError
 */
function savable<S extends v.GenericSchema>(schema: S, value: v.InferInput<S>): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new TrustError("malformed", `${v.getDotPath(issue)}: ${issue.message}`.slice(0, 200));
}

/** Returns a task as the device keeps it: the order, and what the source may choose. */
export function agentTaskOf(order: TaskOrder, given: AssignedTask, setting: AgentSetting): AgentTask {
  const { packageId, packageName, packageVersion, action, epoch, createdAtMs, command, run } = order;
  const { startAtMs, startIsLocal, deadlineAtMs, notWhile, after, afterEpoch, expiresAtMs } = order;
  const { allowDowngrade, sequence, image = null } = order;
  const { paused, taskKey, packageKey, packageKeyBefore } = given;
  return {
    id: order.taskId,
    packageId,
    packageName,
    packageVersion,
    action,
    epoch,
    createdAtMs,
    sequence,
    command,
    run,
    startAtMs,
    startIsLocal,
    deadlineAtMs,
    notWhile,
    after,
    afterEpoch,
    expiresAtMs,
    attempt: Math.min(given.attempt, order.attempts),
    paused,
    allowDowngrade,
    image,
    taskKey,
    packageKey,
    packageKeyBefore,
    setting,
    overrides: order.setting !== null,
  };
}
