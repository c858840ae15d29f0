/**
 * Test fixture: the API of the source without a port, on a real catalog in a temporary folder, with
 * a clock that tests set.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatToken } from "../api/token.ts";
import type { TokenCreated } from "../api/schema/tokens.ts";
import type { Role } from "../model/role.ts";
import { sha256Hex } from "./sha256-hex.ts";
import { openSqliteCatalog, type Catalog } from "./catalog/index.ts";
import { createLogger } from "../log.ts";
import { Publications } from "./publishing/publications.ts";
import { digestPath, type DigestOptions } from "./publishing/digest-files.ts";
import { packManifest } from "../api/packed-manifest.ts";
import { signed, type SignedManifest } from "../model/signing.ts";
import { loadOrCreatePublisherKey } from "./publishing/publisher-key.ts";
import type { CheckInResponse, EnrollResponse } from "../api/schema/agent.ts";
import type { Inventory, Progress } from "../api/schema/common.ts";
import { obeyed, type ObeyedAnswer } from "../device/testing-trust.ts";
import { createSourceApp } from "./app.ts";
import type { SourceContext } from "./context.ts";
import { openContentStore } from "./content-store.ts";
import { loadOrCreateIdentityKey } from "./identity-key.ts";
import { createSourceMetrics } from "./metrics.ts";
import { Liveness } from "./liveness.ts";
import { enrolmentLimits } from "./rate-limit.ts";
import { RefusalAudit } from "./refusal-audit.ts";
import { RefusedRequests } from "./refused-requests.ts";
import { createSignIn } from "./sign-in/sign-in.ts";
import { openEventFeed } from "./event-feed.ts";
import { EnrolmentWatch } from "./enrolment-watch.ts";
import { NotedTasks } from "./noted-tasks.ts";
import { endTasks } from "./task-ends.ts";
import { ChangeHub } from "./change-hub.ts";
import { ManifestGrants } from "./manifest-grants.ts";
import { FallbackTokens } from "./fallback-tokens.ts";
import { DuplicateWatch } from "./duplicate-watch.ts";
import { NeighbourProbes } from "./neighbour-probes.ts";
import { Orders } from "./trust/orders.ts";
import { SourceTrust } from "./trust/source-trust.ts";
import { TaskCounts } from "./task-counts.ts";
import { WakeRequests } from "./wake-requests.ts";
import { WanMeter } from "./wan-meter.ts";

const identity = "0".repeat(64);
const secrets = { admin: "a".repeat(43), enroll: "e".repeat(43) };
const root = null;
const adminToken = formatToken({ kind: "person", secret: secrets.admin, identity, root });
export const enrollToken = formatToken({ kind: "enrolment", secret: secrets.enroll, identity, root });

export const inventoryOf = (hostname: string, address = "10.0.0.5", groups: string[] = []): Inventory => ({
  hostname,
  os: "linux",
  arch: "x64",
  agentVersion: "0.1.0",
  deviceClass: "desktop",
  onBattery: false,
  memoryBytes: 1e9,
  diskFreeBytes: 1e9,
  cacheBytes: 0,
  groups,
  interfaces: [
    {
      name: "eth0",
      address,
      cidr: `${address}/24`,
      mac: "02:00:00:00:00:01",
      medium: "wired",
      gatewayMac: null,
      group: "",
      active: true,
    },
  ],
});

/** Returns a report of a device that has a package of 5 bytes by multicast. */
export const reportOf = (taskId: number, state: Progress["state"], more: Partial<Progress> = {}) => ({
  taskId,
  state,
  role: "none",
  term: 0,
  bytesTotal: 5,
  bytesVerified: 5,
  from: { wan: 0, multicast: 5, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  reasons: [],
  command: null,
  ...more,
});

export type Answer<T> = { status: number; body: T; headers: Headers };
export type TestDevice = { id: string; credential: string; subnetId: string; address: string };

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

const auditAgeMs = 400 * 86_400_000;

type Switches = Pick<
  SourceContext,
  | "keepVersions"
  | "acceptsWishes"
  | "acceptsPendingImaging"
  | "auditAgeMs"
  | "webhookNetworks"
  | "publishNetworks"
> & {
  readonly approvesTakeovers: boolean;
};

/** Adds the tokens of the two files that a running source has. */
async function addTokens(catalog: Catalog, approvesTakeovers: boolean): Promise<void> {
  const always = {
    scope: [],
    tags: [],
    needsApproval: false,
    isImaging: false,
    usesLeft: null,
    expiresAtMs: null,
  };
  const made = { createdAtMs: 0, createdBy: "source" };
  const admin = { id: "aa".repeat(8), kind: "person", name: "admin.token", role: "administrator" } as const;
  const enroll = { id: "ee".repeat(8), kind: "enrolment", name: "enroll.token", role: null } as const;
  await catalog.tokens.add(
    { ...admin, ...always, ...made, approvesTakeovers: false },
    sha256Hex(secrets.admin),
  );
  await catalog.tokens.add({ ...enroll, ...always, ...made, approvesTakeovers }, sha256Hex(secrets.enroll));
}

async function openParts(
  folder: string,
  clock: { nowMs: number },
  { approvesTakeovers, ...switches }: Switches,
) {
  const log = createLogger("test", "silent");
  const catalog = await openSqliteCatalog(join(folder, "catalog.db"), undefined, () => clock.nowMs);
  await addTokens(catalog, approvesTakeovers);
  const changeHub = new ChangeHub(0);
  const wan = new WanMeter(catalog.wan, log, () => clock.nowMs);
  const content = await openContentStore(join(folder, "packages"));
  const noted = new NotedTasks();
  const metrics = createSourceMetrics(catalog, changeHub);
  const events = openEventFeed(catalog);
  const counts = new TaskCounts({ catalog, changeHub, log, nowMs: () => clock.nowMs, ...switches });
  const nowMs = (): number => clock.nowMs;
  const trust = await SourceTrust.open({ catalog, dataFolder: folder, nowMs, log });
  const orders = new Orders({ catalog, trust, nowMs });
  await orders.signAll();
  const refusalAudit = new RefusalAudit(catalog.audit, log);
  const signIn = createSignIn(random);
  const inMemory = { wakeRequests: new WakeRequests(random), liveness: new Liveness(changeHub) };
  const stores = { catalog, changeHub, events, counts, wan, content, log, noted, metrics, refusalAudit };
  const parts = { ...stores, ...inMemory };
  const app = createSourceApp({
    ...parts,
    trust,
    orders,
    onRoots: async () => {},
    identityKey: await loadOrCreateIdentityKey(folder),
    refused: new RefusedRequests(metrics.registry, log),
    signIn,
    certificate: "none",
    addresses: { source: "http://127.0.0.1", console: null },
    enrolmentWatch: new EnrolmentWatch(metrics.registry, log),
    dataFolder: folder,
    fallback: new FallbackTokens(),
    manifests: new ManifestGrants(Math.random),
    probes: new NeighbourProbes(random),
    duplicates: new DuplicateWatch(),
    enrolments: enrolmentLimits(),
    publications: new Publications({ events, randomBytes: random, nowMs }),
    ...switches,
    nowMs,
    randomBytes: random,
  });
  return { app, trust, orders, ...parts };
}

type Init = {
  /** Default: the administrator's token; null: no credential. */
  readonly credential?: string | null;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string>;
};

function callerOf(app: ReturnType<typeof createSourceApp>) {
  const raw = async (
    method: string,
    path: string,
    init: Init = {},
    remoteAddress = "10.0.0.5",
  ): Promise<Response> => {
    const credential = init.credential === undefined ? adminToken : init.credential;
    const body = init.json === undefined ? init.body : JSON.stringify(init.json);
    const headers = {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(init.json === undefined ? {} : { "content-type": "application/json" }),
      ...init.headers,
    };
    const request = { method, headers, ...(body === undefined ? {} : { body }) };
    return app.request(path, request, { remoteAddress, tlsSpki: null, allowIdle: () => {} });
  };
  const call = async <T = Record<string, unknown>>(...words: Parameters<typeof raw>): Promise<Answer<T>> => {
    const response = await raw(...words);
    return { status: response.status, body: (await response.json()) as T, headers: response.headers };
  };
  return { raw, call };
}

/** Returns the body of a publish request. */
export const publishBody = async (envelope: SignedManifest): Promise<{ readonly packed: string }> => ({
  packed: Buffer.from(await packManifest(envelope)).toString("base64"),
});

/** Digests and signs the files at `path`. `json` is the body of a publish request. */
async function signedPackage(path: string, options: DigestOptions, keyFile: string) {
  const { bytes, manifest } = await digestPath(path, options);
  const envelope = signed(bytes, await loadOrCreatePublisherKey(keyFile));
  return { json: await publishBody(envelope), manifest, envelope };
}

type Call = ReturnType<typeof callerOf>["call"];

/** Check-ins of devices that check what the source sends. */
function devicesOf(
  { catalog, trust }: Pick<SourceContext, "catalog" | "trust">,
  call: Call,
  clock: { readonly nowMs: number },
) {
  /** Returns what a new device obeys of an answer. */
  const obeyedBy = (hostname: string, answer: CheckInResponse): ObeyedAnswer =>
    obeyed(answer, { deployment: catalog.deployment, root: trust.root, hostname }, clock.nowMs);
  const checkIn = async (
    device: { credential: string },
    inventory: Inventory,
    remoteAddress?: string,
  ): Promise<Answer<ObeyedAnswer>> => {
    const init = { credential: device.credential, json: { inventory } };
    const answer = await call<CheckInResponse>("POST", "/v1/agent/check-in", init, remoteAddress);
    if (answer.status !== 200) return answer as never;
    return { ...answer, body: obeyedBy(inventory.hostname, answer.body) };
  };
  return { checkIn, obeyedBy };
}

/** Returns the function that enrols a device and checks it in. */
const enroller =
  (call: Call, checkIn: ReturnType<typeof devicesOf>["checkIn"]) =>
  async (
    hostname: string,
    address = "10.0.0.5",
    groups: string[] = [],
    remote = address,
  ): Promise<TestDevice> => {
    const json = { token: enrollToken, hostname, os: "linux", arch: "x64", agentVersion: "0.1.0" };
    const init = { credential: null, json };
    const { body } = await call<EnrollResponse>("POST", "/v1/agent/enroll", init);
    const checkedIn = await checkIn(body, inventoryOf(hostname, address, groups), remote);
    return { id: body.deviceId, credential: body.credential, subnetId: checkedIn.body.subnetId!, address };
  };

/** Returns the function that creates a person's token. */
const tokenMaker =
  (call: ReturnType<typeof callerOf>["call"], clock: { readonly nowMs: number }) =>
  async (
    role: Role,
    { scope = [], expiresInMs }: { scope?: string[]; expiresInMs?: number } = {},
  ): Promise<{ id: string; name: string; text: string }> => {
    const name = `${role}-${randomBytes(4).toString("hex")}`;
    const expiresAtMs = expiresInMs === undefined ? null : clock.nowMs + expiresInMs;
    const json = { kind: "person", name, role, scope, expiresAtMs };
    const { body } = await call<TokenCreated>("POST", "/v1/tokens", { json });
    return { id: body.token.id, name, text: body.text };
  };

/**
 * @param given differences from the default: all versions stay, takeovers need an approval, and
 *   groups that devices state themselves do not count as tags
 * @param startMs first time of its clock
 * @param filled data folder with a catalog; the fixture removes it at its end
 */
export async function openFixture(
  given: Partial<Switches> = {},
  startMs = 1_800_000_000_000,
  filled: string | null = null,
) {
  const folder = filled ?? (await mkdtemp(join(tmpdir(), "flockcast-source-")));
  const clock = { nowMs: startMs };
  const switches = {
    keepVersions: null,
    approvesTakeovers: false,
    acceptsWishes: false,
    acceptsPendingImaging: false,
    auditAgeMs,
    webhookNetworks: [],
    publishNetworks: [],
    ...given,
  };
  const parts = await openParts(folder, clock, switches);
  const { app, catalog, changeHub, log, noted, trust } = parts;
  const { keepVersions, acceptsWishes } = switches;
  const { raw, call } = callerOf(app);
  const { checkIn, obeyedBy } = devicesOf({ catalog, trust }, call, clock);
  return {
    folder,
    clock,
    ...parts,
    keepVersions,
    auditAgeMs: switches.auditAgeMs,
    raw,
    call,
    checkIn,
    obeyedBy,
    adminToken,
    token: tokenMaker(call, clock),
    /** Ends tasks, as the running source does every second. */
    endTasks: () => endTasks({ catalog, changeHub, noted, acceptsWishes, log, nowMs: () => clock.nowMs }),
    device: enroller(call, checkIn),
    signedPackage: (path: string, options: DigestOptions, keyFile = join(folder, "publisher.key")) =>
      signedPackage(path, options, keyFile),
    async close() {
      changeHub.close();
      parts.events.close();
      parts.counts.close();
      await parts.wan.close();
      catalog.close();
      await rm(folder, { recursive: true });
    },
  };
}
export type Fixture = Awaited<ReturnType<typeof openFixture>>;
