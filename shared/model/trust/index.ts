/** Trust: signed statements, the trust file, and orders. */
export * from "./order.ts";
export * from "./order-check.ts";
export * from "./signed.ts";
export * from "./trust-error.ts";
export * from "./trust-file.ts";
