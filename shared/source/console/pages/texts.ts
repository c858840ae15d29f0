/** Quantities and times in the language that the viewer chose. */
import * as format from "./format.ts";
import { language } from "./language.ts";

export const count = (value: number): string => format.numberText(value, language.value);
export const size = (bytes: number): string => format.sizeText(bytes, language.value);
export const rate = (bps: number): string => format.rateText(bps, language.value);
export const percent = (share: number): string => format.percentText(share, language.value);
export const time = (atMs: number): string => format.timeText(atMs, language.value);
export const ago = (atMs: number, nowMs: number): string => format.agoText(atMs, nowMs, language.value);
