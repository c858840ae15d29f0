/**
 * Symbol size of a session: the largest that the representative can send and that every listener
 * receives. It falls when a device with a smaller MTU joins or when the representative's own MTU
 * falls. It never rises, so that half-received chunks are of use to the next representative too.
 */
import { assert } from "../model/assert.ts";
import { limits } from "../wire/index.ts";
import type { Member } from "./member.ts";
import type { RepresentativeState } from "./state.ts";

/** Returns the symbol size with which a representative begins. */
export const firstSymbolSize = (member: Member): number =>
  fittingBytes(member, member.session.symbolSizeBytes ?? limits.symbolMaxBytes);

/** A listener that receives less than `symbolSmallBytes` does not slow down all others. */
const fittingBytes = ({ roster, symbolMaxBytes }: Member, atMostBytes: number): number =>
  Math.min(atMostBytes, symbolMaxBytes, Math.max(limits.symbolSmallBytes, roster.symbolMaxBytes));

/**
 * Lowers the symbol size to what all listeners receive. Symbols of the former size that wait to be
 * sent, and requests for them, are forgotten: peers count again once the size was announced.
 */
export function fitSymbols(member: Member, state: RepresentativeState, nowMs: number): void {
  const { stream, repair, due } = state;
  const fitting = fittingBytes(member, stream.symbolSizeBytes);
  if (fitting === stream.symbolSizeBytes) return;
  assert(fitting >= limits.symbolMinBytes, "symbols are shorter than symbolMinBytes");
  member.effects.push({ do: "SymbolsShortened", fromBytes: stream.symbolSizeBytes, toBytes: fitting });
  stream.symbolSizeBytes = fitting;
  member.session.symbolSizeBytes = fitting;
  stream.queue.forgetSymbols();
  repair.nacks.takeRepairs();
  due.announceAtMs = nowMs;
}
