/**
 * Judges who may use a file or folder on Windows, by its owner and access list as text (SDDL).
 * `windows-api-access.ts` makes the calls.
 *
 * The access lists of parents are not judged: a parent cannot be moved while a program has a file
 * in it open, and a folder that took its place would have another owner.
 */
import type { AccessRole } from "./platform.ts";

/**
 * System, administrators of the machine and the domain, the installer of Windows, and the owner,
 * who is judged on its own.
 */
const trusted = new Set([
  "SY",
  "BA",
  "LA",
  "DA",
  "EA",
  "CO",
  "OW",
  "S-1-5-18",
  "S-1-5-32-544",
  "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
]);

/** Rights by their names in SDDL. */
const rightBits: Readonly<Record<string, number>> = {
  GA: 0x1000_0000,
  GX: 0x2000_0000,
  GW: 0x4000_0000,
  GR: 0x8000_0000,
  RC: 0x2_0000,
  SD: 0x1_0000,
  WD: 0x4_0000,
  WO: 0x8_0000,
  FA: 0x1f_01ff,
  FR: 0x12_0089,
  FW: 0x12_0116,
  FX: 0x12_00a0,
  CC: 0x1,
  DC: 0x2,
  LC: 0x4,
  SW: 0x8,
  RP: 0x10,
  WP: 0x20,
  DT: 0x40,
  LO: 0x80,
  CR: 0x100,
};

/** Adds, changes or removes contents, or changes the access list or the owner. */
const writing = 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;
const reading = 0x1 | 0x8000_0000;

type Entry = { readonly sid: string; readonly rights: number };
type Security = {
  readonly owner: string;
  /** Entries that give rights, also those that only new files get; null: without a list. */
  readonly entries: readonly Entry[] | null;
};

/** Reads the text of a security descriptor, such as `O:BAG:SYD:PAI(A;OICI;FA;;;SY)`. */
export function parseSecurity(sddl: string): Security {
  const owner = fullSid(/^O:(S-[\d-]+|[A-Z]{2})/.exec(sddl)?.[1] ?? "");
  const at = sddl.indexOf("D:");
  if (at === -1 || sddl.startsWith("D:NO_ACCESS_CONTROL", at)) return { owner, entries: null };
  const entries: Entry[] = [];
  for (const [, text] of sddl
    .slice(at)
    .split(/S:/)[0]!
    .matchAll(/\(([^()]*)/g)) {
    const [type = "", , rights = "", , , sid = ""] = text!.split(";");
    // A denial takes rights only.
    if (type.includes("A") && type !== "AU") entries.push({ sid: fullSid(sid), rights: rightsIn(rights) });
  }
  return { owner, entries };
}

/** Names of users that services run as. */
const serviceUsers: Readonly<Record<string, string>> = { LS: "S-1-5-19", NS: "S-1-5-20" };
const fullSid = (sid: string): string => serviceUsers[sid] ?? sid;

function rightsIn(text: string): number {
  if (/^(0x[\da-f]+|\d+)$/i.test(text)) return Number(text) >>> 0;
  return [...text.matchAll(/[A-Z]{2}/g)].reduce((sum, [name]) => (sum | (rightBits[name] ?? 0)) >>> 0, 0);
}

/** Returns the SID of another user who has one of the rights; null if none has. */
function strangerWith(rights: number, { entries }: Security, user: string): string | null {
  if (entries === null) return "everybody";
  const found = entries.find(
    (entry) => !trusted.has(entry.sid) && entry.sid !== user && (entry.rights & rights) !== 0,
  );
  return found?.sid ?? null;
}

const allRights = 0xffff_ffff;

/** Whether no other user has any right. */
export const isPrivateSecurity = (security: Security, user: string): boolean =>
  strangerWith(allRights, security, user) === null;

/** Returns what lets other users in, and what to do; null if nothing does. */
export function securityProblem(
  path: string,
  security: Security,
  role: AccessRole,
  user: string,
): string | null {
  const { owner } = security;
  const isSecret = role === "secret" || role === "group-secret";
  if (!isSecret && owner !== user && !trusted.has(owner))
    return `belongs to another user (${owner}): look who made it, then takeown /r /d y /f "${path}"`;
  if (role === "parent" || role === "link") return null;
  const stranger = strangerWith(isSecret ? reading | writing : writing, security, user);
  if (stranger === null) return null;
  const words = `icacls "${path}" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *${user}:F`;
  const inherited = words.replaceAll(":F", ":(OI)(CI)F");
  return isSecret
    ? `can be used by other users (${nameOf(stranger)}): ${words}`
    : `can be changed by other users (${nameOf(stranger)}): after a look at the contents, ${inherited}`;
}

const names: Readonly<Record<string, string>> = {
  WD: "Everyone",
  BU: "Users",
  AU: "Authenticated Users",
  IU: "interactive users",
};
const nameOf = (sid: string): string => names[sid] ?? sid;

/** Returns an access list for this user, administrators and the system alone. */
export function privateSecurity(kind: "file" | "folder", user: string): string {
  const flags = kind === "folder" ? "OICI" : "";
  return `D:P${["SY", "BA", user].map((sid) => `(A;${flags};FA;;;${sid})`).join("")}`;
}

/** Reads a SID in its binary form. */
export function sidIn(bytes: DataView): string {
  const count = bytes.getUint8(1);
  // The authority has 48 bits, highest first.
  const authority = bytes.getUint16(2) * 2 ** 32 + bytes.getUint32(4);
  const parts = Array.from({ length: count }, (_, index) => bytes.getUint32(8 + 4 * index, true));
  return ["S", bytes.getUint8(0), authority, ...parts].join("-");
}
