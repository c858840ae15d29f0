/**
 * Context that all routes of the source share. It includes clock and random source, so that tests
 * set them.
 */
import type { Caller, CurrentSession } from "./caller.ts";
import type { Catalog, DeviceRecord } from "./catalog/index.ts";
import type { Logger } from "../log.ts";
import type { ContentStore } from "./content-store.ts";
import type { FallbackTokens } from "./fallback-tokens.ts";
import type { ManifestGrants } from "./manifest-grants.ts";
import type { SourceMetrics } from "./metrics.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { DuplicateWatch } from "./duplicate-watch.ts";
import type { EventFeed } from "./event-feed.ts";
import type { EnrolmentWatch } from "./enrolment-watch.ts";
import type { Liveness } from "./liveness.ts";
import type { NotedTasks } from "./noted-tasks.ts";
import type { NeighbourProbes } from "./neighbour-probes.ts";
import type { IdentityKey } from "../model/source-statement.ts";
import type { Publications } from "./publishing/publications.ts";
import type { EnrolmentLimits } from "./rate-limit.ts";
import type { RefusalAudit } from "./refusal-audit.ts";
import type { RefusedRequests } from "./refused-requests.ts";
import type { TlsChoice } from "./serving-certificate.ts";
import type { Orders } from "./trust/orders.ts";
import type { SourceTrust } from "./trust/source-trust.ts";
import type { SignIn } from "./sign-in/sign-in.ts";
import type { TaskCounter } from "./task-count.ts";
import type { AllowedNetworks } from "./webhooks/egress.ts";
import type { WakeRequests } from "./wake-requests.ts";
import type { WanMeter } from "./wan-meter.ts";

export type SourceAddresses = {
  /** For devices and other machines. */
  source: string;
  /** Console over plain HTTP on this machine; null: there is none. */
  console: string | null;
};

export type SourceContext = {
  readonly dataFolder: string;
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly changeHub: ChangeHub;
  readonly events: EventFeed;
  readonly counts: TaskCounter;
  readonly wan: WanMeter;
  readonly fallback: FallbackTokens;
  readonly manifests: ManifestGrants;
  readonly probes: NeighbourProbes;
  readonly wakeRequests: WakeRequests;
  readonly duplicates: DuplicateWatch;
  readonly liveness: Liveness;
  readonly noted: NotedTasks;
  readonly metrics: SourceMetrics;
  readonly refused: RefusedRequests;
  readonly refusalAudit: RefusalAudit;
  readonly signIn: SignIn;
  /** Addresses of the running source; they are known once it listens. */
  readonly addresses: SourceAddresses;
  /** Kind of the certificate with which the source listens. */
  readonly certificate: TlsChoice["kind"];
  readonly enrolmentWatch: EnrolmentWatch;
  readonly identityKey: IdentityKey;
  readonly trust: SourceTrust;
  readonly orders: Orders;
  /** Called with the fingerprint of new roots: enrolment tokens carry it. */
  readonly onRoots: (root: string) => Promise<void>;
  /** Networks beyond the public ones to which webhooks may go. */
  readonly webhookNetworks: AllowedNetworks;
  /** Networks that are not public from which packages may be published by URL. */
  readonly publishNetworks: AllowedNetworks;
  readonly publications: Publications;
  readonly log: Logger;
  readonly enrolments: EnrolmentLimits;
  /** Newest versions of a package that stay at the source; null: all. */
  readonly keepVersions: number | null;
  /** Age at which rows of the audit end. */
  readonly auditAgeMs: number;
  /** Whether groups that devices state themselves count as tags: for labs. */
  readonly acceptsWishes: boolean;
  /** Whether machines that were started for an image may enrol without a token, and wait. */
  readonly acceptsPendingImaging: boolean;
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
};

/** Hono's environment: connection and authenticated caller of a request. */
export type SourceEnv = {
  Bindings: {
    /** Address of the client: of the socket, or as a trusted proxy states it. */
    readonly remoteAddress: string;
    /** Key (SHA-256, hex) of the certificate of the connection's listener; null without TLS. */
    readonly tlsSpki: string | null;
    /** Whether the client's connection has TLS, here or at a trusted proxy; default: here. */
    readonly isSecure?: boolean;
    /** Whether the connection came to the port of the console on loopback; default: no. */
    readonly isConsole?: boolean;
    /** Sets the idle timeout of the connection in seconds; 0 disables it. */
    readonly allowIdle: (seconds: number) => void;
  };
  /** `device` is set for requests of devices only, `session` for those of people in a browser. */
  Variables: { device: DeviceRecord; caller: Caller; session?: CurrentSession };
};
