/** Random number of this process, which tells it from another one with the same credential. */
import { randomBytes } from "node:crypto";

/** 16 hex digits. */
export const instance = randomBytes(8).toString("hex");
