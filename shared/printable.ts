/**
 * Text from outside on a terminal: names of devices, reasons that they report, answers of web
 * sites. Control characters would move the cursor, forge lines or change the terminal's settings.
 */

/** Returns one line with every control character, line breaks included, as a visible escape. */
export const printable = (text: string): string =>
  text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
