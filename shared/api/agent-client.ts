/**
 * The agent's client of the source's API. Every answer is validated with the schema that the source
 * publishes, and every failure except an abort is a SourceError.
 *
 * The client does not retry requests; only the change stream reconnects (change-stream.ts).
 */
import * as v from "valibot";
import type { BarCode } from "../model/enrolment.ts";
import type { SignedManifest } from "../model/signing.ts";
import type { Signed } from "../model/trust/index.ts";
import type { PeerAddress } from "../net/exchange/peers.ts";
import type { SourceStatement } from "../model/source-statement.ts";
import type { SiteFetch } from "../net/web/site-fetch.ts";
import { unpackManifest } from "./packed-manifest.ts";
import { ask, parseSourceUrl, statementAt, type Connection } from "./request.ts";
import { doneSchema, healthSchema } from "./schema/admin.ts";
import {
  assignedTaskSchema,
  checkInResponseSchema,
  enrollResponseSchema,
  fallbackResponseSchema,
  leaseResponseSchema,
  manifestAnswerSchema,
  type AssignedTask,
  type CheckInRequest,
  type CheckInResponse,
  type EnrollCloneRequest,
  type EnrollPendingRequest,
  type EnrollRequest,
  type EnrollResponse,
  type FallbackRequest,
  type FallbackResponse,
  type LeaseRelease,
  type LeaseRequest,
  type LeaseResponse,
  type ManifestRequest,
  type WakeResult,
} from "./schema/agent.ts";
import type { LogAnswer } from "./schema/device-detail.ts";
import { taskIdSchema, type Progress } from "./schema/common.ts";
import { RenewedError, SourceError } from "./source-error.ts";
import { SourceTransport, type Transport } from "./source-transport.ts";
import { parseEnrollToken, type SourcePin } from "./token.ts";
import { followChanges, type Wake } from "./change-stream.ts";

export { createAdminClient, type AdminClient } from "./admin-client.ts";
export { parseSourceUrl } from "./request.ts";
export {
  contactProblemOf,
  isRenewed,
  SourceError,
  type ContactProblem,
  type SourceErrorKind,
} from "./source-error.ts";
export { SourceTransport } from "./source-transport.ts";
export { parseEnrollToken, readPin, type SourcePin, type SourceToken } from "./token.ts";
export type { Wake } from "./change-stream.ts";

/** Time limit of a request for a manifest: 16 MiB take nine minutes at 250 kbit/s. */
const manifestTimeoutMs = 600_000;

type AgentClientOptions = {
  readonly transport: Transport;
  readonly credential: string;
  /** Time limit of one request; default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** Called for each refusal of a credential that is barred. */
  readonly onBarred?: ((code: BarCode) => void) | undefined;
};

/**
 * Methods that take a signal reject with its reason when it is aborted, and with a SourceError on
 * any other failure.
 */
export type AgentClient = {
  /** Address of the source, which changes when the source moves. */
  readonly sourceUrl: string;
  /** A fetch of package bytes, from the source only. */
  readonly fetch: SiteFetch;
  /** Value of the Authorization header for `fetch`. */
  readonly authorization: string;
  contentUrl(packageId: string): string;
  checkIn(request: CheckInRequest, signal?: AbortSignal): Promise<CheckInAnswer>;
  manifest(request: ManifestRequest, signal?: AbortSignal): Promise<ManifestAnswer>;
  lease(request: LeaseRequest, signal?: AbortSignal): Promise<LeaseResponse>;
  releaseLease(release: LeaseRelease, signal?: AbortSignal): Promise<void>;
  /** Requests, extends or returns the token that allows a WAN fallback. */
  fallback(request: FallbackRequest, signal?: AbortSignal): Promise<FallbackResponse>;
  progress(reports: readonly Progress[], signal?: AbortSignal): Promise<void>;
  /** Reads the statement of the source at its address, or at another one. */
  statement(url?: string): Promise<SourceStatement>;
  /** Sends later requests to another address of the source, and fails every pending one. */
  moveTo(url: string): void;
  /** Confirms a probe of the source. */
  neighbour(probe: string): Promise<void>;
  /** Tells the source which machines of a request were woken. */
  wakeResult(result: WakeResult): Promise<void>;
  /** Answers a request for the end of the log. */
  log(answer: LogAnswer): Promise<void>;
  /** Gives the source newer versions of the trust file. */
  handBack(files: readonly Signed[]): Promise<void>;
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
export type CheckInAnswer = Omit<CheckInResponse, "tasks"> & {
  readonly tasks: readonly AssignedTask[];
  readonly unreadable: readonly number[];
};

const checkInEnvelopeSchema = v.object({
  ...checkInResponseSchema.entries,
  tasks: v.array(v.looseObject({ id: taskIdSchema })),
});

function readTasks(answer: v.InferOutput<typeof checkInEnvelopeSchema>): CheckInAnswer {
  const parsed = answer.tasks.map((task) => {
    const assigned = v.safeParse(assignedTaskSchema, task);
    return assigned.success ? assigned.output : null;
  });
  return {
    ...answer,
    tasks: parsed.filter((task) => task !== null),
    unreadable: answer.tasks.filter((_, index) => parsed[index] === null).map(({ id }) => id),
  };
}

type Enrolled = EnrollResponse & { readonly identity: string; readonly tlsSpki: string | null };

/**
 * Enrols a device: checks that the server is the source of the token, then exchanges the token for
 * a credential.
 * @param options.machineOf returns the identity of the machine for the number of the deployment
 * @throws Error when the URL or the token is malformed
 * @throws SourceError when the request fails or the source refuses it
 */
export async function enrollDevice(
  sourceUrl: string,
  request: EnrollRequest,
  options: {
    timeoutMs?: number;
    signal?: AbortSignal;
    allowsPlainHttp?: boolean;
    machineOf?: (deployment: number) => Promise<string>;
  } = {},
): Promise<Enrolled> {
  const { identity } = parseEnrollToken(request.token);
  const { machineOf, signal, allowsPlainHttp } = options;
  const transport = new SourceTransport({ url: parseSourceUrl(sourceUrl), identity, allowsPlainHttp });
  const connection: Connection = { transport, authorization: () => null, timeoutMs: options.timeoutMs };
  try {
    const machine = machineOf && { machine: await machineOf(await deploymentOf(connection, signal)) };
    const answer = await ask(connection, "POST", "/v1/agent/enroll", enrollResponseSchema, {
      json: { ...request, ...machine, token: request.token.trim() },
      signal,
    });
    return { ...answer, identity, tlsSpki: transport.spki };
  } finally {
    transport.close();
  }
}

/**
 * Enrols a machine that only gets an image, without a token: checks that the server is the pinned
 * source, and gets a credential that counts once an administrator has approved its code.
 * @throws SourceError when the request fails or the source refuses it
 */
export async function enrollPending(
  sourceUrl: string,
  { identity }: SourcePin,
  request: EnrollPendingRequest,
  options: {
    signal: AbortSignal;
    allowsPlainHttp: boolean;
    machineOf: (deployment: number) => Promise<string>;
  },
): Promise<Enrolled> {
  const { signal, allowsPlainHttp, machineOf } = options;
  const transport = new SourceTransport({ url: parseSourceUrl(sourceUrl), identity, allowsPlainHttp });
  const connection: Connection = { transport, authorization: () => null };
  try {
    const path = "/v1/agent/enroll/imaging";
    const machine = await machineOf(await deploymentOf(connection, signal));
    const json = { ...request, machine };
    const answer = await ask(connection, "POST", path, enrollResponseSchema, { json, signal });
    return { ...answer, identity, tlsSpki: transport.spki };
  } finally {
    transport.close();
  }
}

async function deploymentOf(connection: Connection, signal: AbortSignal | undefined): Promise<number> {
  return (await ask(connection, "GET", "/healthz", healthSchema, { signal })).deployment;
}

/**
 * Exchanges a credential that several agents use for one of this process alone.
 * @throws SourceError when the request fails or the source refuses it
 */
export async function enrollClone(
  { transport, credential }: Pick<AgentClientOptions, "transport" | "credential">,
  request: EnrollCloneRequest,
  signal?: AbortSignal,
): Promise<EnrollResponse> {
  const connection: Connection = { transport, authorization: () => `Bearer ${credential}` };
  return ask(connection, "POST", "/v1/agent/enroll/clone", enrollResponseSchema, { json: request, signal });
}

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** An address as an answer of the source states it. */
type StatedAddress = Pick<PeerAddress, "address" | "lanPort"> & { readonly deviceId: string };
export const addressOf = ({ deviceId: device, address, lanPort }: StatedAddress): PeerAddress => ({
  device,
  address,
  lanPort,
});

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const authorization = `Bearer ${options.credential}`;
  const { transport, timeoutMs, onBarred } = options;
  let pending = new AbortController();
  const renew = (reason: Error): void => {
    pending.abort(new RenewedError(reason.message));
    pending = new AbortController();
    transport.dropIdle();
  };
  const connection: Connection = {
    transport,
    authorization: () => authorization,
    timeoutMs,
    pendingSignal: () => pending.signal,
    onBarred,
  };
  return {
    get sourceUrl() {
      return transport.url;
    },
    fetch: transport.fetch,
    authorization,
    contentUrl: (packageId) => `${transport.url}/v1/packages/${packageId}/content`,
    statement: (url) => statementAt(transport, url),
    moveTo(url) {
      transport.moveTo(url);
      renew(new Error(`the source moved to ${url}`));
    },
    async checkIn(request, signal) {
      const path = "/v1/agent/check-in";
      return readTasks(await ask(connection, "POST", path, checkInEnvelopeSchema, { json: request, signal }));
    },
    async manifest(request, signal) {
      const path = "/v1/agent/manifest";
      const limits = { signal, timeoutMs: manifestTimeoutMs };
      const answer = await ask(connection, "POST", path, manifestAnswerSchema, { json: request, ...limits });
      if (answer.result === "elsewhere") return { ...answer, holders: answer.holders.map(addressOf) };
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
    ...statementsTo(connection),
    renew,
    events: (signal, onWake, onLost) => followChanges(connection, signal, { onWake, onLost }),
  };
}

/** Statements of a device outside of check-ins and tasks. */
const statementsTo = (
  connection: Connection,
): Pick<AgentClient, "handBack" | "neighbour" | "wakeResult" | "log"> => ({
  async log(answer) {
    await ask(connection, "POST", "/v1/agent/log", doneSchema, { json: answer });
  },
  async handBack(files) {
    await ask(connection, "POST", "/v1/agent/trust", doneSchema, { json: { files } });
  },
  async wakeResult(result) {
    await ask(connection, "POST", "/v1/agent/wake-result", doneSchema, { json: result });
  },
  async neighbour(probe) {
    await ask(connection, "POST", "/v1/agent/neighbour", doneSchema, { json: { probe } });
  },
});
