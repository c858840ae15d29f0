/**
 * Chooses the interface that the device uses for the LAN. Pure: takes the list of interfaces,
 * returns the choice and its reason.
 *
 * Packages are shared on the physical LAN, on wired interfaces before wireless ones. A VPN or a
 * hypervisor's bridge is chosen only if `--interface` names it, even if it leads to the source.
 * Without another usable interface none is chosen, and the device works alone.
 */
import type { Medium, NetInterface } from "../../model/interface.ts";

export type InterfacePreference = {
  /** `--interface`: an address or a name; null chooses automatically. */
  readonly named: string | null;
  /** Local address that the system uses towards the source; null if it is not known. */
  readonly towardsSource: string | null;
};
/** `why` is for a person: why the choice is not better; empty if the best interface was chosen. */
type InterfaceChoice = { readonly chosen: NetInterface | null; readonly why: string };

const mediumRanks: Partial<Record<Medium, number>> = { wired: 0, unknown: 1, wireless: 2 };

const isUsable = (one: NetInterface): boolean => one.hasLink && one.address !== "";
const isLinkLocal = (address: string): boolean => address.startsWith("169.254.");
const isLoopback = (address: string | null): boolean => address?.startsWith("127.") ?? false;
const rankOf = ({ medium }: NetInterface): number => mediumRanks[medium] ?? Number.POSITIVE_INFINITY;
const isPhysical = (one: NetInterface): boolean => Number.isFinite(rankOf(one));
/** Whether a person would expect the device to use the interface; then `why` mentions it. */
const isWorthNaming = (one: NetInterface): boolean =>
  isPhysical(one) && (one.medium !== "unknown" || one.address !== "");

export const sameInterface = (a: NetInterface | null, b: NetInterface | null): boolean =>
  a?.name === b?.name && a?.address === b?.address;

/** Returns medium and name, for example "wired eth0". */
export const nameOf = ({ name, medium }: NetInterface): string =>
  medium === "unknown" ? name : `${medium} ${name}`;

/** Returns why an interface is not usable, as a predicate. */
export const unusableReason = (one: NetInterface): string => (one.hasLink ? "has no address" : "has no link");

/**
 * Chooses among usable physical interfaces. The order is: no link-local address, medium, a default
 * gateway, the route to the source, name. If the source is on this device, chooses loopback. If
 * `named` is set, no other interface is chosen.
 */
export function chooseInterface(
  interfaces: readonly NetInterface[],
  { named, towardsSource }: InterfacePreference,
): InterfaceChoice {
  if (named !== null) return chooseNamed(interfaces, named);
  if (isLoopback(towardsSource)) {
    const chosen = interfaces.find((one) => one.address === towardsSource) ?? null;
    return { chosen, why: chosen ? "" : `no interface has the address ${towardsSource}` };
  }
  const chosen = interfaces
    .filter((one) => isUsable(one) && isPhysical(one))
    .toSorted((a, b) => compare(a, b, towardsSource))[0];
  if (!chosen) return { chosen: null, why: whyNone(interfaces) };
  return { chosen, why: whyNotBetter(interfaces, chosen) };
}

function chooseNamed(interfaces: readonly NetInterface[], named: string): InterfaceChoice {
  const matching = interfaces.filter((one) => one.name === named || one.address === named);
  const chosen = matching.find(isUsable) ?? null;
  if (chosen) return { chosen, why: "" };
  const problem = matching[0] ? unusableReason(matching[0]) : "is not there";
  return { chosen: null, why: `--interface ${named} ${problem}` };
}

/** Sorts the better interface first. */
function compare(a: NetInterface, b: NetInterface, towardsSource: string | null): number {
  const keys = (one: NetInterface): number[] => [
    Number(isLinkLocal(one.address)),
    rankOf(one),
    Number(!one.hasGateway),
    Number(one.address !== towardsSource),
  ];
  const [keysA, keysB] = [keys(a), keys(b)];
  const at = keysA.findIndex((key, index) => key !== keysB[index]);
  return at >= 0 ? keysA[at]! - keysB[at]! : a.name.localeCompare(b.name, "en", { numeric: true });
}

function whyNotBetter(interfaces: readonly NetInterface[], chosen: NetInterface): string {
  if (isLinkLocal(chosen.address)) return "no interface has more than a link-local address";
  return interfaces
    .filter(
      (one) =>
        isWorthNaming(one) && rankOf(one) < rankOf(chosen) && (!isUsable(one) || isLinkLocal(one.address)),
    )
    .map((one) => `${nameOf(one)} ${isUsable(one) ? "has a link-local address only" : unusableReason(one)}`)
    .filter((text, at, all) => all.indexOf(text) === at)
    .join(", ");
}

function whyNone(interfaces: readonly NetInterface[]): string {
  const unusable = interfaces.filter(isWorthNaming).map((one) => `${nameOf(one)} ${unusableReason(one)}`);
  const others = interfaces
    .filter((one) => isUsable(one) && (one.medium === "vpn" || one.medium === "virtual"))
    .map(nameOf);
  if (unusable.length === 0 && others.length === 0) return "no interface has an IPv4 address";
  const only = others.length > 0 ? [`nothing is shared over ${others.join(", ")}`] : [];
  return [...unusable, ...only].join(", ");
}
