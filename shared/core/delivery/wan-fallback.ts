/**
 * WAN fallback: a device that its subnet cannot serve downloads for itself, if the setting allows
 * it. The source grants tokens for that, so that the devices of a split subnet do not all download
 * at once.
 */
import type { Member } from "../member.ts";
import type { FallbackAnswer } from "../events.ts";
import { timing } from "../timing.ts";

export const mayUseWan = (member: Member, nowMs: number): boolean =>
  member.fallback.fromMs !== null &&
  nowMs >= member.fallback.fromMs &&
  member.config.setting().wanFallback !== "never";

/** Asks for a fallback token or renews it, at most once per `fallbackRenewMs`. */
export function requestFallback(member: Member, nowMs: number): void {
  if (nowMs < member.fallback.askAtMs) return;
  member.fallback.askAtMs = nowMs + timing.fallbackRenewMs;
  member.effects.push({ do: "RequestFallback" });
}

export function onFallbackAnswer(member: Member, answer: FallbackAnswer, nowMs: number): void {
  if (answer.result === "refused") {
    member.fallback.askAtMs = nowMs + answer.retryAfterMs * (1 + member.config.random() * 0.5);
    return member.setDownloading(false);
  }
  // Without the source, the random wait before the request has to spread the downloads. Bytes may
  // have arrived since the request, so the condition is checked again.
  if (mayUseWan(member, nowMs)) member.setDownloading(true);
}
