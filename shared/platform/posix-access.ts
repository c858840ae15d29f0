/**
 * Judges who may use a file or folder on POSIX systems, by owner and mode as ssh does. Access
 * lists beyond the mode are not looked at.
 */
import { chmodSync, lstatSync, type Stats } from "node:fs";
import type { AccessRole } from "./platform.ts";

const sticky = 0o1000;
const root = 0;

export type User = { readonly uid: number; readonly gid: number };
type Access = Pick<Stats, "uid" | "gid" | "mode">;

const thisUser = (): User => ({ uid: process.geteuid!(), gid: process.getegid!() });

export const accessProblem = (path: string, role: AccessRole, found?: Stats): string | null =>
  problemOf(path, found ?? lstatSync(path), role, thisUser());

/** Returns what lets other users in, and what to do; null if nothing does. */
export function problemOf(path: string, found: Access, role: AccessRole, user: User): string | null {
  const mode = found.mode & 0o7777;
  const shown = `(mode ${mode.toString(8).padStart(4, "0")})`;
  switch (role) {
    case "secret":
    case "group-secret": {
      // Root may let a group read it, such as ssl-cert of Debian.
      const barred = role === "group-secret" && found.uid === root ? 0o037 : 0o077;
      return (mode & barred) === 0 ? null : `can be used by other users ${shown}: chmod 600 "${path}"`;
    }
    case "link":
    case "parent":
      if (found.uid !== user.uid && found.uid !== root)
        return `belongs to the user with id ${found.uid}, who can replace what it leads to: use another path`;
      if (role === "link" || (mode & sticky) !== 0 || !isWritable(found, user)) return null;
      return `can be written by other users ${shown}, who can replace what is in it: chmod go-w "${path}"`;
    case "own":
      if (found.uid !== user.uid)
        return (
          `belongs to the user with id ${found.uid}, and this program runs as ${user.uid}: ` +
          `run it as that user, or, after a look at the contents, chown -R ${user.uid} "${path}"`
        );
      if (!isWritable(found, user)) return null;
      return `can be written by other users ${shown}: after a look at the contents, chmod go-w "${path}"`;
  }
}

const isWritable = ({ mode, gid }: Access, user: User): boolean =>
  (mode & (isOwnGroup(gid, user) ? 0o002 : 0o022)) !== 0;

/** The group of root, and the private group that many systems give to each user. */
const isOwnGroup = (gid: number, { uid, gid: own }: User): boolean =>
  gid === root || (gid === own && gid === uid);

/** Takes the rights of all other users. @throws Error of the file system */
export function makePrivate(path: string, kind: "file" | "folder"): void {
  const before = lstatSync(path).mode & 0o7777;
  const after = kind === "folder" ? 0o700 : before & 0o700;
  if (after !== before) chmodSync(path, after);
}

export const isPrivate = (folder: string): boolean => (lstatSync(folder).mode & 0o077) === 0;

export const isAdministrator = (): boolean => process.geteuid?.() === root;
