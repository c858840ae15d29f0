/**
 * Poll response: what a device answers over the LAN exchange in addition to the chunks it holds.
 */
import type { Holder } from "./holders.ts";
import type { Member } from "../member.ts";

/** Upper bound on peers in one response; a device that polls again learns of others. */
export const peersNamedMax = 16;

/**
 * Returns the other participants that this device knows, and the term in which it leads (0: it does
 * not lead).
 * @param asking device that polls; it is left out
 */
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
