/**
 * The administrator's client of the source's API; the command line uses nothing else. Every answer
 * is validated (request.ts), and no request is retried.
 */
import type { SignedManifest } from "../model/signing.ts";
import type { PackageUrl } from "../model/package-url.ts";
import { deviceRequests, type DeviceRequests } from "./device-requests.ts";
import type { SourceStatement } from "../model/source-statement.ts";
import { allPages } from "./pages.ts";
import { packManifest } from "./packed-manifest.ts";
import { ask, parseSourceUrl, send, statementAt, type Connection } from "./request.ts";
import {
  doneSchema,
  packageListSchema,
  packageUrlListSchema,
  publishResponseSchema,
  subnetListSchema,
  packageRemovedSchema,
  taskChangedSchema,
  taskRetriedSchema,
  taskDetailSchema,
  taskDeviceListSchema,
  taskListSchema,
  taskSubnetListSchema,
  wanReportSchema,
  type PackageUrlList,
  type PublishedPackage,
  type PublishResponse,
  type Subnet,
  type PackageRemoved,
  type TaskChanged,
  type TaskCreate,
  type TaskEdit,
  type TaskRetried,
  type TaskDetail,
  type TaskSummary,
  type WanReport,
} from "./schema/admin.ts";
import {
  groupListSchema,
  siteListSchema,
  taggedSchema,
  taskPreviewSchema,
  type Group,
  type Site,
  type SubnetLabel,
  type Tagged,
  type Tagging,
  type TaskPreview,
} from "./schema/labels.ts";
import { sourceAddressSchema, type SourceAddress } from "./schema/identity.ts";
import { taskWakeListSchema, type TaskWake } from "./schema/wakes.ts";
import { taskHistorySchema, type TaskHistory } from "./schema/task-history.ts";
import { settingClient, type SettingClient } from "./setting-client.ts";
import { userClient, type UserClient } from "./user-client.ts";
import { SourceTransport } from "./source-transport.ts";
import { auditClient, type AuditClient } from "./audit-client.ts";
import { readToken, tokenProblem } from "./token.ts";
import { trustClient, type TrustClient } from "./trust-client.ts";
import { webhookClient, type WebhookClient } from "./webhook-client.ts";
import { tokenClient, type TokenClient } from "./token-client.ts";

type AdminClientOptions = {
  readonly sourceUrl: string;
  /** Text of a person's token; surrounding white space is ignored. */
  readonly token: string;
  /** Whether a source without TLS may be on another machine. Default: false. */
  readonly allowsPlainHttp?: boolean | undefined;
  /** Time limit of one request except `putContent`, which has none; default 30 s. */
  readonly timeoutMs?: number | undefined;
};

/** Every method rejects with a SourceError, or with the reason of `signal` once it is aborted. */
export type AdminClient = DeviceRequests &
  SettingClient &
  TrustClient &
  TokenClient &
  WebhookClient &
  AuditClient &
  UserClient & {
    /** Fingerprint of the roots that the token names; null: it names none. */
    readonly root: string | null;
    /** @param urls web sites that have the bytes */
    publish(signed: SignedManifest, urls?: readonly PackageUrl[]): Promise<PublishResponse>;
    /** @param content the package's bytes: its files concatenated in manifest order */
    putContent(packageId: string, content: ReadableStream<Uint8Array>, signal?: AbortSignal): Promise<void>;
    packages(): Promise<PublishedPackage[]>;
    /** @param words a package id, NAME (its highest version) or NAME@VERSION */
    packageUrls(words: string): Promise<PackageUrlList>;
    addPackageUrl(words: string, url: string): Promise<PackageUrlList>;
    removePackageUrl(words: string, url: string): Promise<PackageUrlList>;
    /** @param words a package id or NAME@VERSION */
    removePackage(words: string): Promise<PackageRemoved>;
    createTask(task: TaskCreate): Promise<TaskChanged>;
    /** Returns what `createTask` would do, and creates nothing. */
    previewTask(task: TaskCreate): Promise<TaskPreview>;
    previewEdit(id: number, edit: TaskEdit): Promise<TaskPreview>;
    editTask(id: number, edit: TaskEdit): Promise<TaskChanged>;
    changeTask(
      id: number,
      change: "cancel" | "kill" | "pause" | "resume" | "start-now",
    ): Promise<TaskChanged>;
    retryTask(id: number): Promise<TaskRetried>;
    removeTask(id: number): Promise<void>;
    tasks(): Promise<TaskSummary[]>;
    /** Returns the devices that were to be woken for a task. */
    taskWakes(id: number): Promise<TaskWake[]>;
    /** @param devices those that the answer lists */
    task(id: number, devices?: "all" | "failed" | "unfinished", signal?: AbortSignal): Promise<TaskDetail>;
    taskHistory(id: number): Promise<TaskHistory>;
    changeTags(change: Tagging): Promise<Tagged>;
    groups(): Promise<Group[]>;
    createGroup(name: string): Promise<void>;
    deleteGroup(name: string): Promise<void>;
    sites(): Promise<Site[]>;
    createSite(name: string): Promise<void>;
    renameSite(name: string, newName: string): Promise<void>;
    deleteSite(name: string): Promise<void>;
    labelSubnet(id: string, label: SubnetLabel): Promise<void>;
    subnets(): Promise<Subnet[]>;
    splitSubnet(id: string): Promise<void>;
    announcement(): Promise<SourceAddress>;
    /** @param url address to which the source moves; null takes the announcement back */
    announce(url: string | null): Promise<SourceAddress>;
    /** Reads the statement of the source at its address, or at another one. */
    statement(url?: string): Promise<SourceStatement>;
    /** Times are rounded to whole hours; without one the report has no bound there. */
    wanReport(query: {
      readonly by: WanReport["by"];
      readonly sinceMs?: number | undefined;
      readonly untilMs?: number | undefined;
      readonly zone: string;
    }): Promise<WanReport>;
    /** Returns the bytes of a backup. @param withPackages whether it has the bytes of packages */
    backup(withPackages: boolean): Promise<ReadableStream<Uint8Array>>;
  };

const urlsPath = (words: string): string => `/v1/packages/${encodeURIComponent(words)}/urls`;

const groupPath = (name: string): string => `/v1/groups/${encodeURIComponent(name)}`;
const sitePath = (name: string): string => `/v1/sites/${encodeURIComponent(name)}`;

type LabelCalls = Pick<
  AdminClient,
  | "changeTags"
  | "groups"
  | "createGroup"
  | "deleteGroup"
  | "sites"
  | "createSite"
  | "renameSite"
  | "deleteSite"
  | "labelSubnet"
>;

function labelCalls(connection: Connection): LabelCalls {
  const change = async (method: string, path: string, json?: unknown): Promise<void> => {
    await ask(connection, method, path, doneSchema, json === undefined ? {} : { json });
  };
  return {
    changeTags: (tagging) => ask(connection, "POST", "/v1/tags", taggedSchema, { json: tagging }),
    groups: () => allPages(connection, "/v1/groups", groupListSchema, ({ groups }) => groups),
    createGroup: (name) => change("PUT", groupPath(name)),
    deleteGroup: (name) => change("DELETE", groupPath(name)),
    sites: () => allPages(connection, "/v1/sites", siteListSchema, ({ sites }) => sites),
    createSite: (name) => change("PUT", sitePath(name)),
    renameSite: (name, newName) => change("PATCH", sitePath(name), { name: newName }),
    deleteSite: (name) => change("DELETE", sitePath(name)),
    labelSubnet: (id, label) => change("PATCH", `/v1/subnets/${encodeURIComponent(id)}`, label),
  };
}

/** Reads a task with all of its subnets, and with the devices of a list. */
async function wholeTask(
  connection: Connection,
  id: number,
  devices: "all" | "failed" | "unfinished",
  signal: AbortSignal | undefined,
): Promise<TaskDetail> {
  const path = `/v1/tasks/${id}`;
  const first = await ask(connection, "GET", `${path}?devices=${devices}`, taskDetailSchema, { signal });
  const { nextSubnets, nextDevices } = first;
  const subnets = await restOf(nextSubnets, (from) =>
    allPages(connection, `${path}/subnets`, taskSubnetListSchema, (page) => page.subnets, { from, signal }),
  );
  const list = `${path}/devices?devices=${devices}`;
  const others = await restOf(nextDevices, (from) =>
    allPages(connection, list, taskDeviceListSchema, (page) => page.devices, { from, signal }),
  );
  return {
    ...first,
    subnets: [...first.subnets, ...subnets],
    deviceList: [...first.deviceList, ...others],
    nextSubnets: null,
    nextDevices: null,
  };
}

const restOf = async <T>(next: string | null, read: (from: string) => Promise<T[]>): Promise<T[]> =>
  next === null ? [] : read(next);

type SourceCalls = Pick<AdminClient, "announcement" | "announce" | "statement" | "wanReport" | "backup">;

function sourceCalls(connection: Connection, transport: SourceTransport): SourceCalls {
  return {
    announcement: () => ask(connection, "GET", "/v1/source/address", sourceAddressSchema),
    announce: (announcedUrl) =>
      ask(connection, "PUT", "/v1/source/address", sourceAddressSchema, { json: { announcedUrl } }),
    statement: (url) => statementAt(transport, url),
    wanReport({ by, zone, sinceMs, untilMs }) {
      const query = new URLSearchParams({ by, zone });
      if (sinceMs !== undefined) query.set("since", String(sinceMs));
      if (untilMs !== undefined) query.set("until", String(untilMs));
      return ask(connection, "GET", `/v1/reports/wan?${query}`, wanReportSchema);
    },
    async backup(withPackages) {
      const path = `/v1/backup?packages=${withPackages ? "yes" : "no"}`;
      const response = await send(connection, "POST", path, { timeoutMs: null });
      return response.body ?? new Blob([]).stream();
    },
  };
}

type PackageCalls = Pick<
  AdminClient,
  | "publish"
  | "putContent"
  | "packages"
  | "packageUrls"
  | "addPackageUrl"
  | "removePackageUrl"
  | "removePackage"
>;

const packageCalls = (connection: Connection): PackageCalls => ({
  publish: async (signed, urls = []) =>
    ask(connection, "POST", "/v1/packages", publishResponseSchema, {
      json: { packed: Buffer.from(await packManifest(signed)).toString("base64"), urls },
    }),
  async putContent(packageId, content, signal) {
    const path = `/v1/packages/${packageId}/content`;
    await ask(connection, "PUT", path, doneSchema, { body: content, signal, timeoutMs: null });
  },
  packages: () => allPages(connection, "/v1/packages", packageListSchema, ({ packages }) => packages),
  packageUrls: (words) => ask(connection, "GET", urlsPath(words), packageUrlListSchema),
  addPackageUrl: (words, url) =>
    ask(connection, "POST", urlsPath(words), packageUrlListSchema, { json: { url } }),
  removePackageUrl: (words, url) =>
    ask(connection, "DELETE", urlsPath(words), packageUrlListSchema, { json: { url } }),
  removePackage: (words) =>
    ask(connection, "DELETE", `/v1/packages/${encodeURIComponent(words)}`, packageRemovedSchema),
});

/**
 * Creates a client; makes no request. The first one checks that the server is the token's source.
 * @throws Error when the URL or the token is malformed
 */
export function createAdminClient(options: AdminClientOptions): AdminClient {
  const token = options.token.trim();
  const known = readToken(token);
  if (known?.kind !== "person") throw new Error(`The administrator's token ${tokenProblem(token, "person")}`);
  const { identity } = known;
  const { allowsPlainHttp } = options;
  const transport = new SourceTransport({
    url: parseSourceUrl(options.sourceUrl),
    identity,
    allowsPlainHttp,
  });
  const connection: Connection = {
    transport,
    authorization: () => `Bearer ${token}`,
    timeoutMs: options.timeoutMs,
  };
  return {
    root: known.root,
    ...trustClient(connection),
    ...settingClient(connection),
    ...tokenClient(connection),
    ...webhookClient(connection),
    ...auditClient(connection),
    ...userClient(connection),
    ...packageCalls(connection),
    createTask: (task) => ask(connection, "POST", "/v1/tasks", taskChangedSchema, { json: task }),
    ...labelCalls(connection),
    previewTask: (task) => ask(connection, "POST", "/v1/tasks/dry-run", taskPreviewSchema, { json: task }),
    previewEdit: (id, edit) =>
      ask(connection, "POST", `/v1/tasks/${id}/dry-run`, taskPreviewSchema, { json: edit }),
    editTask: (id, edit) => ask(connection, "PATCH", `/v1/tasks/${id}`, taskChangedSchema, { json: edit }),
    changeTask: (id, change) => ask(connection, "POST", `/v1/tasks/${id}/${change}`, taskChangedSchema),
    retryTask: (id) => ask(connection, "POST", `/v1/tasks/${id}/retry`, taskRetriedSchema),
    async removeTask(id) {
      await ask(connection, "DELETE", `/v1/tasks/${id}`, doneSchema);
    },
    tasks: () => allPages(connection, "/v1/tasks", taskListSchema, ({ tasks }) => tasks),
    task: (id, devices = "all", signal = undefined) => wholeTask(connection, id, devices, signal),
    taskHistory: (id) => ask(connection, "GET", `/v1/tasks/${id}/history`, taskHistorySchema),
    taskWakes: (id) =>
      allPages(connection, `/v1/tasks/${id}/wakes`, taskWakeListSchema, ({ wakes }) => wakes),
    ...deviceRequests(connection),
    async splitSubnet(id) {
      await ask(connection, "POST", `/v1/subnets/${encodeURIComponent(id)}/split`, doneSchema);
    },
    ...sourceCalls(connection, transport),
    subnets: () => allPages(connection, "/v1/subnets", subnetListSchema, ({ subnets }) => subnets),
  };
}
