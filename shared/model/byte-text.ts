/** Bytes as texts, base64 and hex, with what browsers and server processes both have. */

/** Arguments of one call; engines bound their number. */
const argumentsMax = 8_192;

export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += argumentsMax)
    text += String.fromCharCode(...bytes.subarray(at, at + argumentsMax));
  return btoa(text);
}

/** @throws Error for a text that is not base64 */
export const base64Bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param text an even number of hex digits */
export const hexBytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
