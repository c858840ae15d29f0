/**
 * The agent's side of the API. Every answer is validated with the schema that the source documents; every failure is a
 * SourceError. It keeps no state but the credential, and never retries (except the event stream, whose life it is).
 */
import type { SignedManifest } from "../model/signing.ts";
import { pinnedTls } from "../net/web/pinned-tls.ts";
import { pinCertificate } from "./pin-certificate.ts";
import { ask, parseSourceUrl, type Connection } from "./request.ts";
import { doneSchema } from "./schema/admin.ts";
import {
  checkInResponseSchema,
  enrollResponseSchema,
  fallbackResponseSchema,
  leaseResponseSchema,
  manifestResponseSchema,
  type CheckInResponse,
  type EnrollRequest,
  type EnrollResponse,
  type FallbackRequest,
  type FallbackResponse,
  type LeaseRelease,
  type LeaseRequest,
  type LeaseResponse,
} from "./schema/agent.ts";
import type { Inventory, Progress } from "./schema/common.ts";
import { parseEnrollToken } from "./token.ts";
import { followChanges, type WakeReason } from "./change-stream.ts";

export { createAdminClient, type AdminClient } from "./admin-client.ts";
export { pinCertificate } from "./pin-certificate.ts";
export { pinnedTls } from "../net/web/pinned-tls.ts";
export { parseSourceUrl } from "./request.ts";
export { SourceError, type SourceErrorKind } from "./source-error.ts";
export { parseEnrollToken, type SourceToken } from "./token.ts";
export type { WakeReason } from "./change-stream.ts";

export type AgentClientOptions = {
  readonly sourceUrl: string;
  readonly credential: string;
  /** The source's certificate (PEM) as pinned at enrolment; undefined when the system trusts it or without TLS. */
  readonly ca?: string | undefined;
  /** Of one request; default 30 s. */
  readonly timeoutMs?: number | undefined;
};

export type AgentClient = {
  readonly sourceUrl: string;
  readonly ca: string | undefined;
  /** For whoever fetches package bytes: the `tls` option of fetch that honours the pin. */
  readonly tls: BunFetchRequestInitTLS | undefined;
  readonly authorization: string;
  contentUrl(packageId: string): string;
  checkIn(inventory: Inventory, signal?: AbortSignal): Promise<CheckInResponse>;
  manifest(packageId: string, signal?: AbortSignal): Promise<SignedManifest>;
  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseResponse>;
  releaseLease(release: LeaseRelease, signal?: AbortSignal): Promise<void>;
  /** Asks for a token to download alone, keeps it, or gives it back. */
  fallback(request: FallbackRequest, signal?: AbortSignal): Promise<FallbackResponse>;
  progress(reports: readonly Progress[], signal?: AbortSignal): Promise<void>;
  /** The device changed its network: requests under way fail with `reason`, instead of waiting for their timeout. */
  renew(reason: Error): void;
  /**
   * Calls `onWake` whenever the stream opens ("connected") and whenever something changed for this device.
   * Reconnects with jitter until `signal` is aborted; never rejects.
   */
  events(
    signal: AbortSignal,
    onWake: (reason: WakeReason) => void,
    onLost?: (error: unknown, retryInMs: number) => void,
  ): Promise<void>;
};

export type Enrolled = EnrollResponse & { readonly ca: string | undefined };

/**
 * Enrols a device: checks the certificate against the token's fingerprint, then trades the token for a credential.
 * @throws Error for a malformed URL or token, SourceError for what the source says.
 */
export async function enrollDevice(
  sourceUrl: string,
  request: EnrollRequest,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<Enrolled> {
  const url = parseSourceUrl(sourceUrl);
  const { fingerprint } = parseEnrollToken(request.token);
  const ca = fingerprint === null ? undefined : await pinCertificate(url, fingerprint);
  const connection: Connection = {
    sourceUrl: url,
    authorization: () => null,
    ca,
    timeoutMs: options.timeoutMs,
  };
  const answer = await ask(connection, "POST", "/v1/agent/enroll", enrollResponseSchema, {
    json: { ...request, token: request.token.trim() },
    signal: options.signal,
  });
  return { ...answer, ca };
}

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** @throws Error for a malformed URL. */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const authorization = `Bearer ${options.credential}`;
  const { ca, timeoutMs } = options;
  let life = new AbortController();
  const connection: Connection = {
    sourceUrl,
    authorization: () => authorization,
    ca,
    timeoutMs,
    life: () => life.signal,
  };
  return {
    sourceUrl,
    ca,
    tls: pinnedTls(ca),
    authorization,
    contentUrl: (packageId) => `${sourceUrl}/v1/packages/${packageId}/content`,
    checkIn: (inventory, signal) =>
      ask(connection, "POST", "/v1/agent/check-in", checkInResponseSchema, { json: { inventory }, signal }),
    async manifest(packageId, signal) {
      const path = `/v1/packages/${packageId}/manifest`;
      const answer = await ask(connection, "GET", path, manifestResponseSchema, { signal });
      return {
        manifest: fromBase64(answer.manifest),
        signature: fromBase64(answer.signature),
        publisherKey: fromBase64(answer.publisherKey),
      };
    },
    lease: (request, signal) =>
      ask(connection, "POST", "/v1/agent/lease", leaseResponseSchema, { json: request, signal }),
    fallback: (request, signal) =>
      ask(connection, "POST", "/v1/agent/fallback", fallbackResponseSchema, { json: request, signal }),
    async releaseLease(release, signal) {
      await ask(connection, "POST", "/v1/agent/lease/release", doneSchema, { json: release, signal });
    },
    async progress(reports, signal) {
      await ask(connection, "POST", "/v1/agent/progress", doneSchema, { json: { reports }, signal });
    },
    renew(reason) {
      life.abort(reason);
      life = new AbortController();
    },
    events: (signal, onWake, onLost) => followChanges(connection, signal, { onWake, onLost }),
  };
}
