/** The part of the administrator's client about the audit. */
import type { AuditBeginning, AuditRow } from "../model/audit.ts";
import { ask, send, type Connection } from "./request.ts";
import { auditListSchema, auditVerificationSchema, type AuditVerification } from "./schema/audit.ts";

export type AuditQuery = {
  readonly sinceMs?: number | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  readonly limit?: number | undefined;
};
export type AuditClient = {
  /** Returns rows, the newest first. */
  audit(query: AuditQuery): Promise<AuditRow[]>;
  /** @param known head of an earlier export, whose row is compared */
  verifyAudit(known?: AuditBeginning): Promise<AuditVerification>;
  /** Returns the bytes of an export. */
  exportAudit(): Promise<ReadableStream<Uint8Array>>;
};

export const auditClient = (connection: Connection): AuditClient => ({
  async audit({ sinceMs, limit, ...texts }) {
    const query = new URLSearchParams();
    if (sinceMs !== undefined) query.set("since", String(sinceMs));
    if (limit !== undefined) query.set("limit", String(limit));
    for (const [key, value] of Object.entries(texts)) if (value !== undefined) query.set(key, value);
    return (await ask(connection, "GET", `/v1/audit?${query}`, auditListSchema)).rows;
  },
  verifyAudit(known) {
    const query = known === undefined ? "" : `?sequence=${known.sequence}&hash=${known.hash}`;
    const path = `/v1/audit/verification${query}`;
    return ask(connection, "GET", path, auditVerificationSchema, { timeoutMs: null });
  },
  async exportAudit() {
    const response = await send(connection, "GET", "/v1/audit/export", { timeoutMs: null });
    return response.body ?? new Blob([]).stream();
  },
});
