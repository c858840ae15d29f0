/**
 * Interface of the store of signed statements: the versions of the trust file, and the newest order
 * about each subject. The rules are in model/trust and in source/trust.
 */
import type { OrderKind, Signed } from "../../model/trust/index.ts";

/** Orders about one subject: the id of a task, the name of a setting, or "". */
export type OrderRecord = {
  readonly subject: string;
  /** Sequence of `signed`; 0: none. */
  readonly sequence: number;
  /** Newest order with enough signatures, which devices get; null: none yet. */
  readonly signed: Signed | null;
  /** Order that waits for further signatures. */
  readonly pending: Signed | null;
};

export interface TrustStore {
  /** Returns all versions of the trust file, the oldest first. */
  files(): Promise<Signed[]>;
  addFile(version: number, signed: Signed): Promise<void>;
  order(kind: OrderKind, subject: string): Promise<OrderRecord | null>;
  orders(kind: OrderKind): Promise<OrderRecord[]>;
  /** Stores the orders of a subject; `sequence` rises, otherwise nothing is stored. */
  putOrder(kind: OrderKind, record: OrderRecord): Promise<void>;
  /** Does the same for an order that the source signs itself, because a record has changed. */
  putOwnOrder(kind: OrderKind, record: OrderRecord): Promise<void>;
  removeOrder(kind: OrderKind, subject: string): Promise<void>;
  /** Forgets all orders: devices have newer ones than a restored catalog. */
  removeOrders(): Promise<void>;
  /** Highest sequence of an order; 0: none. */
  lastSequence(): Promise<number>;
}
