/** A site of the lab: its devices, their names and addresses, and what keeps multicast from them. */
export type Impairment = "dropped" | "pruned" | "udp-blocked" | "wireless" | "isolated";

export const portOf = (at: number): string => `port${at + 1}`;

export type LabDevice = {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** Its interface's name. */
  readonly link: string;
  /** What keeps multicast from it. */
  readonly impairment: Impairment | null;
};

export type LabSite = {
  readonly name: string;
  readonly cidr: string;
  readonly router: string;
  /** The site's link as the source's side names it. */
  readonly wanDevice: string;
  readonly devices: readonly LabDevice[];
};
