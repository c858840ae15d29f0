/**
 * Interface of the store of tokens, by which devices enrol and people and their programs send
 * requests. The catalog knows the SHA-256 of their secrets only. The rules are in the routes.
 */
import type { TokenKind } from "../../api/token.ts";
import type { Role, Scope } from "../../model/role.ts";

export type TokenRecord = {
  /** 16 hex digits. */
  readonly id: string;
  readonly kind: TokenKind;
  /** Unique among the tokens that are not revoked, without case. */
  readonly name: string;
  /** Null for an enrolment token. */
  readonly role: Role | null;
  readonly scope: Scope;
  /** Tags that a device gets at its enrolment. */
  readonly tags: readonly string[];
  /** Whether a device gets nothing until `device approve`. */
  readonly needsApproval: boolean;
  /** Whether a device that was installed again keeps its tags without `device approve`. */
  readonly approvesTakeovers: boolean;
  /** Whether its devices only get images, and are removed afterwards. */
  readonly isImaging: boolean;
  /** Devices that may still enrol; null: any number. */
  readonly usesLeft: number | null;
  /** Devices that have enrolled. */
  readonly uses: number;
  /** Null: never. */
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly lastUsedAtMs: number | null;
  /** Null: the token is not revoked. */
  readonly revokedAtMs: number | null;
};
/** Time of the creation, and id. */
export type TokenKey = readonly [number, string];
export type NewToken = Omit<TokenRecord, "uses" | "lastUsedAtMs" | "revokedAtMs">;

export interface TokenStore {
  /** Returns tokens, the oldest first, after this one. */
  list(after: TokenKey | null, limit: number): Promise<TokenRecord[]>;
  /** Returns the token whose secret has this SHA-256, also a revoked one. */
  byDigest(sha256: string): Promise<TokenRecord | null>;
  /** Returns the token with this id, or the one with this name that is not revoked. */
  named(words: string): Promise<TokenRecord | null>;
  /** @returns false when a token that is not revoked has the name */
  add(token: NewToken, sha256: string): Promise<boolean>;
  setApprovesTakeovers(id: string, approves: boolean): Promise<void>;
  /** @returns whether the token was not revoked before */
  revoke(id: string, atMs: number): Promise<boolean>;
  noteUse(id: string, atMs: number): Promise<void>;
  /**
   * Removes the tokens that were revoked, or that expired, before this time. Those of files stay:
   * the file of a revoked one would make it valid again.
   */
  removeEndedBefore(atMs: number): Promise<void>;
}
