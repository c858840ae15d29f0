/**
 * The agent's client of the source's API. Every answer is validated with the schema that the source
 * publishes, and every failure except an abort is a SourceError.
 *
 * The client does not retry requests; only the change stream reconnects (change-stream.ts).
 */
import * as v from "valibot";
import type { SignedManifest } from "../model/signing.ts";
import type { PeerAddress } from "../net/exchange/peers.ts";
import { pinnedTls } from "../net/web/pinned-tls.ts";
import { unpackManifest } from "./packed-manifest.ts";
import { pinCertificate } from "./pin-certificate.ts";
import { ask, parseSourceUrl, type Connection } from "./request.ts";
import { doneSchema } from "./schema/admin.ts";
import {
  assignedTaskSchema,
  checkInResponseSchema,
  enrollResponseSchema,
  fallbackResponseSchema,
  leaseResponseSchema,
  manifestAnswerSchema,
  type AgentTask,
  type CheckInRequest,
  type CheckInResponse,
  type EnrollRequest,
  type EnrollResponse,
  type FallbackRequest,
  type FallbackResponse,
  type LeaseRelease,
  type LeaseRequest,
  type LeaseResponse,
  type ManifestRequest,
} from "./schema/agent.ts";
import { taskIdSchema, type Progress } from "./schema/common.ts";
import { SourceError } from "./source-error.ts";
import { parseEnrollToken } from "./token.ts";
import { followChanges, type Wake } from "./change-stream.ts";

export { createAdminClient, type AdminClient } from "./admin-client.ts";
export { pinCertificate } from "./pin-certificate.ts";
export { pinnedTls } from "../net/web/pinned-tls.ts";
export { parseSourceUrl } from "./request.ts";
export { SourceError, type SourceErrorKind } from "./source-error.ts";
export { parseEnrollToken, type SourceToken } from "./token.ts";
export type { Wake } from "./change-stream.ts";

/** Time limit of a request for a manifest: 16 MiB take nine minutes at 250 kbit/s. */
const manifestTimeoutMs = 600_000;

type AgentClientOptions = {
  readonly sourceUrl: string;
  readonly credential: string;
  /** Certificate (PEM) pinned at enrolment; undefined without TLS or if the system trusts it. */
  readonly ca?: string | undefined;
  /** Time limit of one request; default 30 s. */
  readonly timeoutMs?: number | undefined;
};

/**
 * Methods that take a signal reject with its reason when it is aborted, and with a SourceError on
 * any other failure.
 */
export type AgentClient = {
  readonly sourceUrl: string;
  readonly ca: string | undefined;
  /** Option `tls` for a fetch of package bytes, which honours the pinned certificate. */
  readonly tls: BunFetchRequestInitTLS | undefined;
  /** Value of the Authorization header for a fetch of package bytes. */
  readonly authorization: string;
  contentUrl(packageId: string): string;
  checkIn(request: CheckInRequest, signal?: AbortSignal): Promise<CheckInAnswer>;
  manifest(request: ManifestRequest, signal?: AbortSignal): Promise<ManifestAnswer>;
  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseResponse>;
  releaseLease(release: LeaseRelease, signal?: AbortSignal): Promise<void>;
  /** Requests, extends or returns the token that allows a WAN fallback. */
  fallback(request: FallbackRequest, signal?: AbortSignal): Promise<FallbackResponse>;
  progress(reports: readonly Progress[], signal?: AbortSignal): Promise<void>;
  /** Confirms a probe of the source. */
  neighbour(probe: string): Promise<void>;
  /**
   * Fails every pending request after the device has changed its network; otherwise each one would
   * wait for its timeout.
   */
  renew(reason: Error): void;
  /**
   * Follows the change stream until `signal` is aborted, and reconnects with jitter. Never rejects.
   * @param onWake called each time the stream opens, and on each change
   * @param onLost called when the stream is lost or cannot be opened, with the delay of the next
   *   try
   */
  events(
    signal: AbortSignal,
    onWake: (wake: Wake) => void,
    onLost?: (error: unknown, retryInMs: number) => void,
  ): Promise<void>;
};

export type ManifestAnswer =
  | { readonly result: "granted"; readonly signed: SignedManifest }
  | { readonly result: "elsewhere"; readonly holders: readonly PeerAddress[] };

/** `unreadable`: ids of tasks that do not match the schema. One of them hinders no other task. */
export type CheckInAnswer = Omit<CheckInResponse, "tasks" | "settings"> & {
  readonly tasks: readonly AgentTask[];
  readonly unreadable: readonly number[];
};

const checkInEnvelopeSchema = v.object({
  ...checkInResponseSchema.entries,
  tasks: v.array(v.looseObject({ id: taskIdSchema })),
});

function readTasks(answer: v.InferOutput<typeof checkInEnvelopeSchema>): CheckInAnswer {
  const { settings, ...rest } = answer;
  const known = new Map([answer.ownSetting, ...settings].map((setting) => [setting.name, setting]));
  const parsed = answer.tasks.map((task) => {
    const assigned = v.safeParse(assignedTaskSchema, task);
    const setting = assigned.success && known.get(assigned.output.setting.name);
    return setting ? { ...assigned.output, setting } : null;
  });
  return {
    ...rest,
    tasks: parsed.filter((task) => task !== null),
    unreadable: answer.tasks.filter((_, index) => parsed[index] === null).map(({ id }) => id),
  };
}

type Enrolled = EnrollResponse & { readonly ca: string | undefined };

/**
 * Enrols a device: checks the source's certificate against the token's fingerprint, then exchanges
 * the token for a credential.
 * @throws Error when the URL or the token is malformed
 * @throws SourceError when the request fails or the source refuses it
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

/** @throws Error when the URL is malformed */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const authorization = `Bearer ${options.credential}`;
  const { ca, timeoutMs } = options;
  let pending = new AbortController();
  const connection: Connection = {
    sourceUrl,
    authorization: () => authorization,
    ca,
    timeoutMs,
    pendingSignal: () => pending.signal,
  };
  return {
    sourceUrl,
    ca,
    tls: pinnedTls(ca, sourceUrl),
    authorization,
    contentUrl: (packageId) => `${sourceUrl}/v1/packages/${packageId}/content`,
    async checkIn(request, signal) {
      const path = "/v1/agent/check-in";
      return readTasks(await ask(connection, "POST", path, checkInEnvelopeSchema, { json: request, signal }));
    },
    async manifest(request, signal) {
      const path = "/v1/agent/manifest";
      const limits = { signal, timeoutMs: manifestTimeoutMs };
      const answer = await ask(connection, "POST", path, manifestAnswerSchema, { json: request, ...limits });
      if (answer.result === "elsewhere") return answer;
      const signed = await unpackManifest(fromBase64(answer.packed));
      if (signed !== null) return { result: "granted", signed };
      throw new SourceError("invalid", 200, `The answer to POST ${path} has no manifest`);
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
    async neighbour(probe) {
      await ask(connection, "POST", "/v1/agent/neighbour", doneSchema, { json: { probe } });
    },
    renew(reason) {
      pending.abort(reason);
      pending = new AbortController();
    },
    events: (signal, onWake, onLost) => followChanges(connection, signal, { onWake, onLost }),
  };
}
