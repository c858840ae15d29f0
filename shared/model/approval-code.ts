/**
 * Code by which a person finds a machine that waits for an approval: the machine shows the code on
 * its screen, and the source in its list. Both derive it from the digest of the credential that the
 * source gave the machine, so another machine cannot choose its code. Pure.
 */
import { createHash } from "node:crypto";
import { approvalCodeDigits, approvalCodeLength } from "./approval-code-text.ts";

/** @param credentialSha256 hex; @returns 8 characters, of 40 bits */
export function approvalCode(credentialSha256: string): string {
  const bytes = createHash("sha256").update(`flockcast approval code\n${credentialSha256}`).digest();
  return Array.from({ length: approvalCodeLength }, (_, at) => approvalCodeDigits[bytes[at]! & 31]).join("");
}
