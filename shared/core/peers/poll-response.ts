/** What a device answers to another that polls it over the LAN exchange, besides what it holds. */
import type { Holder } from "./holders.ts";
import type { Member } from "../member.ts";

/** Others that one answer names: whoever polls on hears of more. */
export const peersNamedMax = 16;

/** Which others take part, as far as this device knows, and the term it leads in; 0: it does not lead. */
export function pollResponse(member: Member, asking: string): { peers: Holder[]; leads: number } {
  const known = new Map<string, Holder>();
  for (const { device, address, lanPort } of [...member.holders, ...member.roster])
    if (device !== asking && device !== member.config.device) known.set(device, { device, address, lanPort });
  const { state } = member;
  return {
    peers: [...known.values()].slice(-peersNamedMax),
    leads: state.role === "representative" ? state.term : 0,
  };
}
