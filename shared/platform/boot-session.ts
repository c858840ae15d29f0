/**
 * The UUID that Linux and macOS give to each start of the operating system. Pure. The time of the
 * start, which both also tell, changes when the clock is set.
 */

/** Returns the UUID that is all of the text, in lower case; null: the system told none. */
export function bootUuidIn(text: string): string | null {
  const uuid = text.trim().toLowerCase();
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(uuid) ? uuid : null;
}
