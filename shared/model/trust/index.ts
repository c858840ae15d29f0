/** Trust: signed statements, the trust file, and orders. */
export * from "./order.ts";
export * from "./order-check.ts";
export * from "./order-review.ts";
export * from "./recovery-file.ts";
export * from "./review-error.ts";
export * from "./signed.ts";
export * from "./signed-order.ts";
export * from "./trust-error.ts";
export * from "./trust-file.ts";
