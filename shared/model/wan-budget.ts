/**
 * Budget of useless WAN bytes of a package on a subnet: bytes that made no chunk verified on the
 * device that fetched them. Useful bytes have no limit, because isolated devices need a copy each.
 *
 * Devices state their useless bytes. Where a subnet has several devices, one of them can spend half
 * of the budget at most, so that no statement of one device ends the download of the others.
 *
 * Pure: state and time in, next state out.
 */

/** Budget of a small package: room for a few interruptions. */
const uselessBytesMin = 1_048_576;
/** Time after which a device that has spent its share gets a part of it again. */
const shareRestMs = 300_000;
/** Upper bound on devices whose bytes are kept; the budget of the subnet is spent long before. */
const spendersMax = 64;

type Spender = { readonly deviceId: string; readonly bytes: number; readonly atMs: number };
export type UselessBytes = readonly Spender[];
export type Budget = {
  readonly packageBytes: number;
  readonly hasOthers: boolean;
  /** Rests of the subnet so far. */
  readonly rests: number;
};

export const noUselessBytes: UselessBytes = [];

/** Returns the useless bytes that a subnet may spend on a package before its first rest. */
export const uselessBytesMax = (packageBytes: number): number => Math.max(uselessBytesMin, 2 * packageBytes);

/** Returns a budget that is enough to see whether the web site was repaired. */
const smallBudget = (packageBytes: number): number => Math.max(uselessBytesMin, Math.floor(packageBytes / 4));

const budgetOf = ({ packageBytes, rests }: Budget): number =>
  rests === 0 ? uselessBytesMax(packageBytes) : smallBudget(packageBytes);

/** Returns what one device of the subnet may spend. */
const shareOf = (budget: Budget): number => Math.ceil(budgetOf(budget) / (budget.hasOthers ? 2 : 1));

/** Adds bytes of a device, up to its share. */
export function addUseless(
  state: UselessBytes,
  deviceId: string,
  bytes: number,
  budget: Budget,
  nowMs: number,
): UselessBytes {
  if (bytes <= 0) return state;
  const known = state.find((one) => one.deviceId === deviceId);
  const others = state.filter((one) => one !== known);
  const sum = Math.min(shareOf(budget), (known?.bytes ?? 0) + bytes);
  return [...others, { deviceId, bytes: sum, atMs: nowMs }].slice(-spendersMax);
}

/** Gives a device a part of its share again, once it has spent all of it and rested. */
export function forgive(state: UselessBytes, deviceId: string, budget: Budget, nowMs: number): UselessBytes {
  const share = shareOf(budget);
  const spent = state.find((one) => one.deviceId === deviceId && one.bytes >= share);
  if (spent === undefined || Math.abs(nowMs - spent.atMs) < shareRestMs) return state;
  const bytes = Math.max(0, share - smallBudget(budget.packageBytes));
  return state.map((one) => (one === spent ? { ...one, bytes } : one));
}

/** Returns the useless bytes that are left to the subnet, and to one of its devices. */
export function uselessBytesLeft(
  state: UselessBytes,
  deviceId: string,
  budget: Budget,
): { readonly ofSubnet: number; readonly ofDevice: number } {
  const spent = state.reduce((sum, { bytes }) => sum + bytes, 0);
  const own = state.find((one) => one.deviceId === deviceId)?.bytes ?? 0;
  const ofSubnet = Math.max(0, budgetOf(budget) - spent);
  return { ofSubnet, ofDevice: Math.min(ofSubnet, Math.max(0, shareOf(budget) - own)) };
}
