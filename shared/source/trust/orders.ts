/**
 * Orders about the source's records: which records lack one, what it would have to state, and
 * whether a given one counts. In the embedded mode the source signs each order itself.
 *
 * Devices obey the newest signed order, never the record: an edit takes effect once it is signed.
 */
import type { Catalog, OrderRecord, TaskRecord } from "../catalog/index.ts";
import type { SettingAssignment, SettingNode } from "../../model/setting-inheritance.ts";
import {
  checkOrder,
  freshnessValidityMs,
  hasContent,
  nextSequence,
  onlySigners,
  readOrder,
  signerAheadMs,
  signStatementOf,
  TrustError,
  withSignatures,
  type OrderContent,
  type OrderKind,
  type Orders as OrderTypes,
  type Signed,
  type SigningKey,
} from "../../model/trust/index.ts";
import type { SourceTrust } from "./source-trust.ts";
import { Turns } from "./turns.ts";

type OrdersOptions = {
  readonly catalog: Catalog;
  readonly trust: SourceTrust;
  readonly nowMs: () => number;
};
/** Kinds of orders about records of the catalog. */
export const recordKinds = ["task", "setting", "assignments"] as const;
export type RecordKind = (typeof recordKinds)[number];
export type Subject = { readonly kind: RecordKind; readonly subject: string };
/** An order that a record needs. `pending` has signatures, but too few. */
export type NeededOrder = Subject & {
  readonly content: OrderContent<RecordKind>;
  readonly pending: Signed | null;
};

export class Orders {
  readonly #options: OrdersOptions;
  /** Two edits at once: the order of the later one must not be replaced by that of the earlier. */
  readonly #turns = new Turns();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /** Returns the newest order about a subject that has enough signatures. */
  async signed(kind: OrderKind, subject: string): Promise<Signed | null> {
    return (await this.#options.catalog.trust.order(kind, subject))?.signed ?? null;
  }

  /** Returns the content of the order that a record needs; null: the record is gone. */
  async #contentOf({ kind, subject }: Subject): Promise<OrderContent<RecordKind> | null> {
    const { catalog } = this.#options;
    if (kind === "task") {
      const task = await catalog.tasks.byId(Number(subject));
      if (task === null) return null;
      const after = task.after === null ? null : await catalog.tasks.byId(task.after);
      return taskContent(task, after?.epoch ?? "", catalog.deployment);
    }
    if (kind === "assignments")
      return assignmentsContent(await catalog.settings.assignments(), catalog.deployment);
    const node = (await catalog.settings.tree()).get(subject);
    return node === undefined ? null : settingContent(node, catalog.deployment);
  }

  /** Returns the order that a record needs; null: it has one that counts. */
  async needed(subject: Subject): Promise<NeededOrder | null> {
    const content = await this.#contentOf(subject);
    if (content === null) return null;
    const stored = await this.#options.catalog.trust.order(subject.kind, subject.subject);
    if (stored?.signed && this.#counts(subject.kind, stored.signed, content)) return null;
    const pending = stored?.pending ?? null;
    const isPending = pending !== null && hasContent(readOrder(subject.kind, pending), content);
    return { ...subject, content, pending: isPending ? pending : null };
  }

  #counts(kind: RecordKind, signed: Signed, content: OrderContent<RecordKind>): boolean {
    return this.#problemOf(kind, signed) === null && hasContent(readOrder(kind, signed), content);
  }

  #check<K extends OrderKind>(kind: K, signed: Signed): OrderTypes[K] {
    const { trust, nowMs } = this.#options;
    return checkOrder(kind, signed, { trust: trust.file, nowMs: nowMs(), device: null });
  }

  /** Returns all orders that open tasks and settings need. */
  async allNeeded(): Promise<NeededOrder[]> {
    const { catalog, nowMs } = this.#options;
    const open = (await catalog.tasks.open()).filter(({ expiresAtMs }) => expiresAtMs > nowMs());
    const subjects: Subject[] = [
      ...[...(await catalog.settings.tree()).keys()].map((subject) => ({
        kind: "setting" as const,
        subject,
      })),
      { kind: "assignments", subject: "" },
      ...open.map(({ id }) => ({ kind: "task" as const, subject: String(id) })),
    ];
    const needed = await Promise.all(subjects.map((subject) => this.needed(subject)));
    return needed.filter((one) => one !== null);
  }

  /**
   * Lets the source sign what a record needs.
   * @returns whether an order that counts is there
   */
  sign(subject: Subject): Promise<boolean> {
    return this.#turns.take(async () => {
      const needed = await this.needed(subject);
      if (needed === null) return true;
      const keys = await this.#options.trust.keys();
      if (keys === null || !(await this.#store(needed, keys.operator))) return false;
      await this.#renewFreshness();
      return true;
    });
  }

  /** Lets the source sign everything that lacks an order. */
  signAll(): Promise<void> {
    return this.#turns.take(async () => {
      const keys = await this.#options.trust.keys();
      if (keys === null) return;
      for (const needed of await this.allNeeded()) await this.#store(needed, keys.operator);
      await this.#renewFreshness();
    });
  }

  /**
   * Drops orders whose keys the trust file no longer lists: devices would report the source as one
   * that was broken into. The sequences stay.
   */
  dropRevoked(): Promise<void> {
    const { trust } = this.#options.catalog;
    return this.#turns.take(async () => {
      for (const kind of [...recordKinds, "freshness"] as const)
        for (const { subject, sequence, signed, pending } of await trust.orders(kind))
          if (signed !== null && this.#isRevoked(kind, signed))
            await trust.putOrder(kind, { subject, sequence, signed: null, pending });
    });
  }

  #isRevoked(kind: OrderKind, signed: Signed): boolean {
    const problem = this.#problemOf(kind, signed);
    return problem !== null && problem.code !== "expired";
  }

  /** Returns why devices would refuse an order; null: they obey it. */
  #problemOf(kind: OrderKind, signed: Signed): TrustError | null {
    try {
      this.#check(kind, signed);
      return null;
    } catch (error) {
      if (error instanceof TrustError) return error;
      throw error;
    }
  }

  /** @returns false if the order needs other signatures than that of the source */
  async #store({ kind, subject, content }: NeededOrder, key: SigningKey): Promise<boolean> {
    const { catalog, nowMs } = this.#options;
    const issuedAtMs = nowMs();
    const sequence = nextSequence(await catalog.trust.lastSequence(), issuedAtMs);
    const signed = signStatementOf(kind, { format: 1, ...content, sequence, issuedAtMs }, [key]);
    if (this.#problemOf(kind, signed) !== null) return false;
    await catalog.trust.putOwnOrder(kind, { subject, sequence, signed, pending: null });
    return true;
  }

  /**
   * Takes an order for a record, which may lack further signatures.
   * @returns whether it now counts
   * @throws TrustError when it states something else, or is not newer
   */
  attach(subject: Subject, given: Signed): Promise<boolean> {
    return this.#turns.take(() => this.#attach(subject, given));
  }

  async #attach({ kind, subject }: Subject, given: Signed): Promise<boolean> {
    const { catalog, nowMs } = this.#options;
    const content = await this.#contentOf({ kind, subject });
    if (content === null) throw new TrustError("malformed", "the source has no such record");
    const stored = await catalog.trust.order(kind, subject);
    const valid = this.#ofOperators(kind, given);
    const pending = stored?.pending ? withSignatures(stored.pending, valid) : valid;
    const order = readOrder(kind, given);
    if (!hasContent(order, content))
      throw new TrustError("malformed", "the order differs from the record, which may have been changed");
    const isPending = stored?.pending?.payload === given.payload;
    if (order.sequence <= (stored?.sequence ?? 0) && !isPending)
      throw new TrustError("older", "the order is not newer than the one that the source has");
    if (order.sequence > nowMs() + signerAheadMs)
      throw new TrustError("ahead", "the sequence is more than a day ahead: check the signer's clock");
    const whole = this.#ofOperators(kind, isPending ? pending : given);
    try {
      this.#check(kind, whole);
    } catch (error) {
      const isBegun = error instanceof TrustError && error.code === "too-few-signatures";
      if (!isBegun || whole.signatures.length === 0) throw error;
      await this.#put(kind, { ...stored, subject, pending: whole });
      return false;
    }
    await this.#put(kind, { subject, sequence: order.sequence, signed: whole, pending: null });
    return true;
  }

  /** Signatures of others, or wrong ones, would take the place of those that count. */
  #ofOperators(kind: OrderKind, signed: Signed): Signed {
    const { operators } = this.#options.trust.file;
    return onlySigners(kind, signed, [...new Set(operators.map(({ key }) => key))]);
  }

  async #put(kind: RecordKind, record: Partial<OrderRecord> & Pick<OrderRecord, "subject">): Promise<void> {
    const { subject, sequence = 0, signed = null, pending = null } = record;
    await this.#options.catalog.trust.putOrder(kind, { subject, sequence, signed, pending });
  }

  /** Returns the statement of freshness; in the embedded mode one that is valid for a while. */
  async freshness(): Promise<Signed | null> {
    const signed = await this.signed("freshness", "");
    const { nowMs } = this.#options;
    if (signed !== null) {
      const { issuedAtMs, expiresAtMs } = readOrder("freshness", signed);
      const isNow = issuedAtMs <= nowMs() + signerAheadMs;
      if (isNow && expiresAtMs - nowMs() > freshnessValidityMs / 2) return signed;
    }
    return (await this.renewFreshness()) ?? signed;
  }

  /** Signs a statement of freshness with the source's key; null: the source has none. */
  renewFreshness(): Promise<Signed | null> {
    return this.#turns.take(() => this.#renewFreshness());
  }

  async #renewFreshness(): Promise<Signed | null> {
    const { catalog, trust, nowMs } = this.#options;
    const keys = await trust.keys();
    if (keys === null) return null;
    const issuedAtMs = nowMs();
    const sequence = await catalog.trust.lastSequence();
    const statement = {
      format: 1,
      deployment: catalog.deployment,
      sequence,
      issuedAtMs,
      trustVersion: trust.file.version,
      expiresAtMs: issuedAtMs + freshnessValidityMs,
    };
    const signed = signStatementOf("freshness", statement, [keys.operator]);
    // The trust file may no longer list the key of the source.
    if (this.#ofOperators("freshness", signed).signatures.length === 0) return null;
    await catalog.trust.putOwnOrder("freshness", { subject: "", sequence, signed, pending: null });
    return signed;
  }

  /**
   * Takes a statement of freshness.
   * @returns whether devices may have shown the source as stale: the one before did not count
   * @throws TrustError when it is not signed by an operator, or older than the present one
   */
  attachFreshness(given: Signed): Promise<boolean> {
    return this.#turns.take(() => this.#attachFreshness(given));
  }

  async #attachFreshness(given: Signed): Promise<boolean> {
    const { catalog, trust, nowMs } = this.#options;
    const freshness = this.#check("freshness", given);
    const latestMs = nowMs() + signerAheadMs;
    if (freshness.issuedAtMs > latestMs || freshness.sequence > latestMs)
      throw new TrustError("ahead", "the statement is more than a day ahead: check the signer's clock");
    const stored = await catalog.trust.order("freshness", "");
    const present = stored?.signed ?? null;
    if (freshness.sequence < (stored?.sequence ?? 0))
      throw new TrustError("older", "the source has a statement of freshness about newer orders");
    const presentMs = present === null ? 0 : readOrder("freshness", present).issuedAtMs;
    if (presentMs > freshness.issuedAtMs && presentMs <= latestMs)
      throw new TrustError("older", "the source has a newer statement of freshness");
    if (freshness.trustVersion !== trust.file.version)
      throw new TrustError("older", `the trust file has version ${trust.file.version}`);
    const { sequence } = freshness;
    await catalog.trust.putOrder("freshness", { subject: "", sequence, signed: given, pending: null });
    return present === null || readOrder("freshness", present).expiresAtMs <= nowMs();
  }
}

function taskContent(task: TaskRecord, afterEpoch: string, deployment: number): OrderContent<"task"> {
  const { id: taskId, epoch, createdAtMs, packageId, packageName, packageVersion, action } = task;
  const { command, run, allowDowngrade, after, notWhile, setting, target, attempts, image } = task;
  const { startAtMs, startIsLocal, deadlineAtMs, expiresAtMs } = task;
  return {
    deployment,
    taskId,
    epoch,
    createdAtMs,
    packageId,
    packageName,
    packageVersion,
    action,
    command,
    run,
    allowDowngrade,
    after,
    afterEpoch,
    notWhile: [...notWhile],
    image,
    setting,
    target,
    startAtMs,
    startIsLocal,
    deadlineAtMs,
    expiresAtMs,
    attempts,
  };
}

const settingContent = (
  { name, version, parent, differences }: SettingNode,
  deployment: number,
): OrderContent<"setting"> => ({ deployment, name, version, parent, differences });

const assignmentsContent = (
  assignments: readonly SettingAssignment[],
  deployment: number,
): OrderContent<"assignments"> => ({
  deployment,
  assignments: assignments.map(({ setting, target }) => ({ setting, target })),
});
