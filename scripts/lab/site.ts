/**
 * Sites of the lab: names and addresses of their devices, and the impairments of their multicast.
 */

/** Impairment of a device's multicast; `impairment.ts` describes each. */
export type Impairment = "dropped" | "pruned" | "udp-blocked" | "wireless" | "isolated";

/** Port of the site's switch. @param at index of the device in its site */
export const portOf = (at: number): string => `port${at + 1}`;

export type LabDevice = {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** Name of the device's interface. */
  readonly link: string;
  readonly impairment: Impairment | null;
  /** MTU of the device's link, on both ends. */
  readonly mtu: number;
};

export type LabSite = {
  readonly name: string;
  readonly cidr: string;
  /** Namespace of the router, which is also the switch. */
  readonly router: string;
  /** Interface of the WAN link in the source's namespace. */
  readonly wanDevice: string;
  readonly devices: readonly LabDevice[];
  /** Whether the MTU of all links falls in the middle of the task. */
  readonly mtuFalls: boolean;
};
