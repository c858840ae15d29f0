/** What every route of the source shares. Time and randomness come in here, so that tests can set the clock. */
import type { Catalog, DeviceRecord } from "./catalog/index.ts";
import type { Logger } from "../log.ts";
import type { ContentStore } from "./content-store.ts";
import type { FallbackTokens } from "./fallback-tokens.ts";
import type { SourceMetrics } from "./metrics.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { WanMeter } from "./wan-meter.ts";

export type SourceContext = {
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly changeHub: ChangeHub;
  readonly wan: WanMeter;
  readonly fallback: FallbackTokens;
  readonly metrics: SourceMetrics;
  readonly log: Logger;
  readonly secrets: { readonly admin: string; readonly enroll: string };
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
};

/** Hono's environment: what the server knows of a connection, and who the request proved to be. */
export type SourceEnv = {
  Bindings: {
    /** The other end's address as the source sees it. */
    readonly remoteAddress: string;
    /** Keeps this request's connection from being closed as idle: 0 means never. */
    readonly allowIdle: (seconds: number) => void;
  };
  Variables: { device: DeviceRecord; caller: "device" | "admin" };
};
