/**
 * Decides which row of the source a device gets that enrols with a token: a new one, or that of an
 * earlier installation on the same machine. Pure.
 *
 * The identity of a machine is a claim. A takeover therefore never displaces a device that is
 * connected, and an identity that two devices share proves nothing.
 */

/**
 * Refusals of a barred credential. `device-removed` and `device-replaced` end the agent;
 * `device-cloned` lets it ask for an identity of its own.
 */
export const barCodes = ["device-removed", "device-replaced", "device-cloned"] as const;
export type BarCode = (typeof barCodes)[number];

/** Why a row of a device was removed. `imaging-ended`: a machine that was started for an image. */
export const removalReasons = ["removed", "expired", "cloned", "imaging-ended"] as const;
export type RemovalReason = (typeof removalReasons)[number];

/** A row with the same identity as the machine that enrols. */
export type KnownMachine = {
  readonly id: string;
  readonly life: "active" | "suspended" | RemovalReason;
  /** Whether a device uses the row: its event stream is open, and it answers. */
  readonly isConnected: boolean;
  /**
   * Holder of a credential that was never used: the process that asks again, because it got no
   * answer, or another one that is about to use it. Null: the credential was used.
   */
  readonly unused: "own" | "other" | null;
};

/** `suspended`: the tags of the device do not count until an administrator approves it. */
export type EnrolmentDecision =
  | { readonly kind: "new"; readonly suspended: boolean; readonly why: NewDeviceReason }
  | { readonly kind: "takeover"; readonly id: string; readonly suspended: boolean }
  /** The row that the same process got a moment ago. */
  | { readonly kind: "repeat"; readonly id: string };
/** `in-use`: a device of this identity is connected; `shared`: several rows have the identity. */
export type NewDeviceReason = "unknown" | "in-use" | "shared" | "removed";

const isInUse = ({ isConnected, unused }: KnownMachine): boolean => isConnected || unused === "other";

/**
 * Returns the decision. A machine with a suspended row, or one that an administrator removed, gets
 * no row that counts without approval.
 *
 * @param known all rows of the identity; none for a machine without one
 * @param approvesTakeovers whether a takeover needs no administrator
 */
export function decideEnrolment(
  known: readonly KnownMachine[],
  approvesTakeovers: boolean,
): EnrolmentDecision {
  const own = known.find(({ unused, life }) => unused === "own" && isKept(life));
  if (own !== undefined) return { kind: "repeat", id: own.id };
  const has = (life: KnownMachine["life"]): boolean => known.some((one) => one.life === life);
  const needsApproval = has("suspended") || has("removed");
  const kept = known.filter(({ life }) => isKept(life));
  const candidates =
    kept.length > 0 ? kept : has("removed") ? [] : known.filter(({ life }) => life === "expired");
  const [row, ...others] = candidates;
  if (row === undefined)
    return { kind: "new", suspended: needsApproval, why: has("removed") ? "removed" : "unknown" };
  if (others.length > 0) return { kind: "new", suspended: needsApproval, why: "shared" };
  if (isInUse(row)) return { kind: "new", suspended: needsApproval, why: "in-use" };
  return { kind: "takeover", id: row.id, suspended: needsApproval || !approvesTakeovers };
}

const isKept = (life: KnownMachine["life"]): boolean => life === "active" || life === "suspended";
