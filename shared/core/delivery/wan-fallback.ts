/**
 * The last resort: a device that its subnet cannot serve downloads for itself, if the setting allows it. The source hands
 * out tokens, so that the devices of a subnet that fell apart do not download all at once.
 */
import type { Member } from "../member.ts";
import type { FallbackAnswer } from "../events.ts";
import { timing } from "../timing.ts";

export const mayUseWan = (member: Member, nowMs: number): boolean =>
  member.fallbackAtMs !== null &&
  nowMs >= member.fallbackAtMs &&
  member.config.setting().wanFallback !== "never";

/** Asks for a token, or to keep it. */
export function requestFallback(member: Member, nowMs: number): void {
  if (nowMs < member.fallbackAskAtMs) return;
  member.fallbackAskAtMs = nowMs + timing.fallbackRenewMs;
  member.effects.push({ do: "RequestFallback" });
}

export function onFallbackAnswer(member: Member, answer: FallbackAnswer, nowMs: number): void {
  if (answer.result === "refused") {
    member.fallbackAskAtMs = nowMs + answer.retryAfterMs * (1 + member.config.random() * 0.5);
    return member.setDownloading(false);
  }
  // Without the source, the random wait before it asked has to be enough. Bytes may have come since it asked.
  if (mayUseWan(member, nowMs)) member.setDownloading(true);
}
