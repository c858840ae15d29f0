/** The part of the administrator's client about trust: trust file, orders, freshness, manifests. */
import type { SignedManifest } from "../model/signing.ts";
import type { Signed } from "../model/trust/index.ts";
import { ask, type Connection } from "./request.ts";
import { doneSchema } from "./schema/admin.ts";
import { manifestResponseSchema } from "./schema/agent.ts";
import {
  neededListSchema,
  ordersAnswerSchema,
  orderViewSchema,
  trustVersionSchema,
  trustViewSchema,
  type NeededView,
  type OrdersAnswer,
  type OrdersBody,
  type TrustView,
} from "./schema/trust.ts";

export type OrderSubject = Pick<NeededView, "kind" | "subject">;

export type TrustClient = {
  trust(): Promise<TrustView>;
  /** Gives the source newer versions of the trust file. */
  giveTrustFiles(files: readonly Signed[]): Promise<{ version: number; root: string }>;
  /** Returns the orders that a record needs, or all records. */
  neededOrders(subject?: OrderSubject): Promise<NeededView[]>;
  /** Returns the newest order about a record; null: none. */
  orderOf(subject: OrderSubject): Promise<Signed | null>;
  giveOrders(orders: OrdersBody["orders"]): Promise<OrdersAnswer["orders"]>;
  giveFreshness(signed: Signed): Promise<void>;
  signedManifest(packageId: string): Promise<SignedManifest>;
};

const root = "/v1/trust";
const query = ({ kind, subject }: OrderSubject): string => `?${new URLSearchParams({ kind, subject })}`;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

export const trustClient = (connection: Connection): TrustClient => ({
  trust: () => ask(connection, "GET", root, trustViewSchema),
  giveTrustFiles: (files) =>
    ask(connection, "POST", `${root}/files`, trustVersionSchema, { json: { files } }),
  neededOrders: async (subject) => {
    const path = `${root}/needed${subject === undefined ? "" : query(subject)}`;
    return (await ask(connection, "GET", path, neededListSchema)).needed;
  },
  orderOf: async (subject) =>
    (await ask(connection, "GET", `${root}/order${query(subject)}`, orderViewSchema)).signed,
  giveOrders: async (orders) =>
    (await ask(connection, "POST", `${root}/orders`, ordersAnswerSchema, { json: { orders } })).orders,
  async giveFreshness(signed) {
    await ask(connection, "POST", `${root}/freshness`, doneSchema, { json: { signed } });
  },
  signedManifest: async (packageId) => {
    const path = `/v1/packages/${packageId}/manifest`;
    const { manifest, signature, publisherKey } = await ask(connection, "GET", path, manifestResponseSchema);
    return { manifest: bytes(manifest), signature: bytes(signature), publisherKey: bytes(publisherKey) };
  },
});
