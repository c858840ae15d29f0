/**
 * MTUs of the lab's links in the scenario `mtu`. Bridge and veth drop what exceeds the MTU of a
 * port without a notice, as switches do.
 */
import { ip } from "./namespace.ts";
import { between } from "../rig/option-parsers.ts";
import { portOf, type LabSite } from "./site.ts";

export const usualMtu = 1_500;
const mixedMtu = 1_400;
/** MTU of all links of a site, or what happens there. */
export const sitesMtu: readonly SiteMtu[] = [576, 1_280, 1_400, 1_450, 9_000, "mixed", "falls"];
export type SiteMtu = number | "mixed" | "falls";

/** Parses words of `--mtu`: "1400,mixed". @throws UsageError */
export function mtusOf(text: string): SiteMtu[] {
  return text.split(",").map((word) => {
    if (word === "mixed" || word === "falls") return word;
    return between(576, 9_000, true)(word);
  });
}

/** Returns the MTU of a device's link. @param at index of the device in its site of `devices` */
export function mtuAt(mtu: SiteMtu, at: number, devices: number): number {
  if (mtu === "mixed") return at === devices - 1 ? mixedMtu : usualMtu;
  return mtu === "falls" ? usualMtu : mtu;
}

/** Lowers the MTU of all links of a site. */
export async function lowerMtu({ router, devices }: LabSite): Promise<void> {
  for (const [at, { namespace, link }] of devices.entries()) {
    await ip(namespace, [`link set ${link} mtu ${mixedMtu}`]);
    await ip(router, [`link set ${portOf(at)} mtu ${mixedMtu}`]);
  }
}
