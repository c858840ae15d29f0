/** Form in which the catalog has secrets: credentials, tokens and sessions. */
import { createHash } from "node:crypto";

/** Returns the SHA-256 of a text, 64 hex digits. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex");
