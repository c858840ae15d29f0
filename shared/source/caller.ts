/**
 * Sender of a request: a device by its credential, or a person (or a program of one) by a token or
 * a session. Names appear in the log and in the audit.
 */
import type { Role, Scope } from "../model/role.ts";
import type { DeviceRecord, SessionRecord, UserRecord } from "./catalog/index.ts";

export type Person = {
  readonly kind: "person";
  /** Name of the token or of the user. */
  readonly name: string;
  readonly role: Role;
  readonly scope: Scope;
  readonly by: "token" | "session";
};
/** Session of a person in a browser, and the user whose it is. */
export type CurrentSession = { readonly session: SessionRecord; readonly user: UserRecord };
export type DeviceCaller = { readonly kind: "device"; readonly device: DeviceRecord };
export type Caller = Person | DeviceCaller;
