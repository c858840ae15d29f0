/** Quantities and times in the language that the viewer chose. */
import * as format from "./format.ts";
import { locale } from "./language.ts";

export const count = (value: number): string => format.numberText(value, locale.value);
export const size = (bytes: number): string => format.sizeText(bytes, locale.value);
export const rate = (bps: number): string => format.rateText(bps, locale.value);
export const rateOfBytes = (bytesPerSecond: number): string =>
  format.byteRateText(bytesPerSecond, locale.value);
export const percent = (share: number): string => format.percentText(share, locale.value);
export const time = (atMs: number): string => format.timeText(atMs, locale.value);
export const ago = (atMs: number, nowMs: number): string => format.agoText(atMs, nowMs, locale.value);
export const second = (atMs: number): string => format.secondText(atMs, locale.value);
