/**
 * Which interface the device plays its roles on. Pure: the list of interfaces in, the choice and its reason out.
 *
 * Packages are shared on the physical LAN: wire before radio, never over a VPN or a hypervisor's bridge, whatever the
 * route to the source is. Where only such interfaces have an address there is no choice: the device works alone.
 */
import type { Medium, NetInterface } from "../../model/interface.ts";

export type InterfaceWish = {
  /** `--interface`: an address or a name; null chooses. */
  readonly named: string | null;
  /** The address that the system uses towards the source; null when it is not known. */
  readonly towardsSource: string | null;
};
/** `why` is for a person: empty when the best interface there is was chosen. */
export type InterfaceChoice = { readonly chosen: NetInterface | null; readonly why: string };

const mediumRanks: Partial<Record<Medium, number>> = { wired: 0, unknown: 1, wireless: 2 };

const isUsable = (one: NetInterface): boolean => one.hasLink && one.address !== "";
const isLinkLocal = (address: string): boolean => address.startsWith("169.254.");
const isLoopback = (address: string | null): boolean => address?.startsWith("127.") ?? false;
const rankOf = ({ medium }: NetInterface): number => mediumRanks[medium] ?? Number.POSITIVE_INFINITY;
const isPhysical = (one: NetInterface): boolean => Number.isFinite(rankOf(one));
/** A person knows it as an interface of this device, so that its lack explains something. */
const isKnown = (one: NetInterface): boolean =>
  isPhysical(one) && (one.medium !== "unknown" || one.address !== "");

export const sameInterface = (a: NetInterface | null, b: NetInterface | null): boolean =>
  a?.name === b?.name && a?.address === b?.address;

/** "wired eth0" */
export const nameOf = ({ name, medium }: NetInterface): string =>
  medium === "unknown" ? name : `${medium} ${name}`;

export const lackOf = (one: NetInterface): string => (one.hasLink ? "has no address" : "has no link");

export function chooseInterface(
  interfaces: readonly NetInterface[],
  { named, towardsSource }: InterfaceWish,
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
  const lack = matching[0] ? lackOf(matching[0]) : "is not there";
  return { chosen: null, why: `--interface ${named} ${lack}` };
}

/** The better one first. */
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
      (one) => isKnown(one) && rankOf(one) < rankOf(chosen) && (!isUsable(one) || isLinkLocal(one.address)),
    )
    .map((one) => `${nameOf(one)} ${isUsable(one) ? "has a link-local address only" : lackOf(one)}`)
    .filter((text, at, all) => all.indexOf(text) === at)
    .join(", ");
}

function whyNone(interfaces: readonly NetInterface[]): string {
  const lacking = interfaces.filter(isKnown).map((one) => `${nameOf(one)} ${lackOf(one)}`);
  const others = interfaces
    .filter((one) => isUsable(one) && (one.medium === "vpn" || one.medium === "virtual"))
    .map(nameOf);
  if (lacking.length === 0 && others.length === 0) return "no interface has an IPv4 address";
  const only = others.length > 0 ? [`nothing is shared over ${others.join(", ")}`] : [];
  return [...lacking, ...only].join(", ");
}
