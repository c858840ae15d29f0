/** The check of an order with the cryptography of a server process. */
import type { OrderKind, Orders } from "./order.ts";
import { checkOrderWith, type OrderCheck } from "./order-check.ts";
import { signersOf, type Signed } from "./signed.ts";

/**
 * Verifies an order and returns its content.
 * @throws TrustError
 */
export const checkOrder = <K extends OrderKind>(kind: K, signed: Signed, check: OrderCheck): Orders[K] =>
  checkOrderWith(kind, signed, { ...check, signersOf });
