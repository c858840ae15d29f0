/**
 * Ids that tell a machine from others, as systems and firmware print them. Pure. Values that many
 * machines share, because a maker or an image left them unset, count as missing.
 */

/** Ids of a machine in lower case; an id that the system does not tell is empty. */
export type MachineId = {
  /** Id that the operating system got when it was installed. */
  readonly system: string;
  /** UUID of the mainboard or of the virtual machine (SMBIOS). */
  readonly firmware: string;
};

/** Values that makers of mainboards left in the SMBIOS table of many machines. */
const sharedUuids: ReadonlySet<string> = new Set([
  "03000200-0400-0500-0006-000700080009",
  "12345678-1234-5678-90ab-cddeefaabbcc",
  "fefefefe-fefe-fefe-fefe-fefefefefefe",
]);

/** Returns the UUID that is all of the text, in lower case; empty for a shared one. */
export function machineUuidIn(text: string): string {
  const uuid = text.trim().toLowerCase();
  if (!/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(uuid)) return "";
  // All digits are equal in a table that was never written: zeros or ones.
  const isUnset = new Set(uuid.replaceAll("-", "")).size === 1;
  return isUnset || sharedUuids.has(uuid) ? "" : uuid;
}

/** Returns the id of /etc/machine-id; empty while an image has "uninitialized" there. */
export function systemIdIn(text: string): string {
  const id = text.trim().toLowerCase();
  return /^[\da-f]{32}$/.test(id) && new Set(id).size > 1 ? id : "";
}

const headerBytes = 8;
const systemInformation = 1;
const endOfTable = 127;
/** Offset and end of the UUID in the structure "System Information". */
const [uuidAt, uuidEnd] = [8, 24];

/**
 * Returns the UUID in an answer of GetSystemFirmwareTable for "RSMB"; empty if there is none. The
 * first three groups are little-endian (SMBIOS 2.6 and later, as Windows prints them).
 */
export function firmwareUuidIn(table: Uint8Array): string {
  const view = Buffer.from(table);
  for (let at = headerBytes; at + 4 <= view.length;) {
    const [type, length] = [view[at]!, view[at + 1]!];
    if (type === endOfTable || length < 4) return "";
    if (type === systemInformation && length >= uuidEnd && at + uuidEnd <= view.length)
      return machineUuidIn(uuidText(view.subarray(at + uuidAt, at + uuidEnd)));
    const strings = view.indexOf("\0\0", at + length, "latin1");
    if (strings < 0) return "";
    at = strings + 2;
  }
  return "";
}

function uuidText(bytes: Buffer): string {
  const groups = [
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8, 10),
    bytes.subarray(10, 16),
  ];
  return groups.map((group) => Buffer.from(group).toString("hex")).join("-");
}

/** Returns the UUID in the output of `ioreg -rd1 -c IOPlatformExpertDevice`. */
export const platformUuidIn = (listing: string): string =>
  machineUuidIn(/"IOPlatformUUID" = "([^"]*)"/.exec(listing)?.[1] ?? "");
