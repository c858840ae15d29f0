/**
 * The administrator's client of the source's API; the command line uses nothing else. Every answer
 * is validated (request.ts), and no request is retried.
 */
import type { SignedManifest } from "../model/signing.ts";
import type { PackageUrl } from "../model/package-url.ts";
import { packManifest } from "./packed-manifest.ts";
import { pinCertificate } from "./pin-certificate.ts";
import { ask, parseSourceUrl, type Connection } from "./request.ts";
import {
  deviceListSchema,
  doneSchema,
  packageListSchema,
  packageUrlListSchema,
  publishResponseSchema,
  subnetListSchema,
  packageRemovedSchema,
  taskChangedSchema,
  taskRetriedSchema,
  taskDetailSchema,
  taskListSchema,
  type Device,
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
} from "./schema/admin.ts";
import { settingClient, type SettingClient } from "./setting-client.ts";
import { readToken } from "./token.ts";

type AdminClientOptions = {
  readonly sourceUrl: string;
  /** Text of the file `admin.token`; surrounding white space is ignored. */
  readonly token: string;
  /** Time limit of one request except `putContent`, which has none; default 30 s. */
  readonly timeoutMs?: number | undefined;
};

/** Every method rejects with a SourceError, or with the reason of `signal` once it is aborted. */
export type AdminClient = SettingClient & {
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
  editTask(id: number, edit: TaskEdit): Promise<TaskChanged>;
  changeTask(id: number, change: "cancel" | "kill" | "pause" | "resume" | "start-now"): Promise<TaskChanged>;
  retryTask(id: number): Promise<TaskRetried>;
  removeTask(id: number): Promise<void>;
  tasks(): Promise<TaskSummary[]>;
  /** @param devices those that the answer lists */
  task(id: number, devices?: "all" | "failed" | "unfinished", signal?: AbortSignal): Promise<TaskDetail>;
  devices(): Promise<Device[]>;
  subnets(): Promise<Subnet[]>;
  splitSubnet(id: string): Promise<void>;
};

const urlsPath = (words: string): string => `/v1/packages/${encodeURIComponent(words)}/urls`;

/**
 * Creates a client. With an https URL and a fingerprint in the token, it first connects to check
 * the source's certificate.
 * @throws Error when the URL is malformed
 * @throws SourceError when the source cannot be reached, or its certificate is neither trusted nor
 *   the token's
 */
export async function createAdminClient(options: AdminClientOptions): Promise<AdminClient> {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const token = options.token.trim();
  const fingerprint = readToken(token)?.fingerprint ?? null;
  const pinned = fingerprint !== null && sourceUrl.startsWith("https:");
  const connection: Connection = {
    sourceUrl,
    authorization: () => `Bearer ${token}`,
    ca: pinned ? await pinCertificate(sourceUrl, fingerprint) : undefined,
    timeoutMs: options.timeoutMs,
  };
  return {
    ...settingClient(connection),
    publish: async (signed, urls = []) =>
      ask(connection, "POST", "/v1/packages", publishResponseSchema, {
        json: { packed: Buffer.from(await packManifest(signed)).toString("base64"), urls },
      }),
    async putContent(packageId, content, signal) {
      const path = `/v1/packages/${packageId}/content`;
      await ask(connection, "PUT", path, doneSchema, { body: content, signal, timeoutMs: null });
    },
    packages: async () => (await ask(connection, "GET", "/v1/packages", packageListSchema)).packages,
    packageUrls: (words) => ask(connection, "GET", urlsPath(words), packageUrlListSchema),
    addPackageUrl: (words, url) =>
      ask(connection, "POST", urlsPath(words), packageUrlListSchema, { json: { url } }),
    removePackageUrl: (words, url) =>
      ask(connection, "DELETE", urlsPath(words), packageUrlListSchema, { json: { url } }),
    removePackage: (words) =>
      ask(connection, "DELETE", `/v1/packages/${encodeURIComponent(words)}`, packageRemovedSchema),
    createTask: (task) => ask(connection, "POST", "/v1/tasks", taskChangedSchema, { json: task }),
    editTask: (id, edit) => ask(connection, "PATCH", `/v1/tasks/${id}`, taskChangedSchema, { json: edit }),
    changeTask: (id, change) => ask(connection, "POST", `/v1/tasks/${id}/${change}`, taskChangedSchema),
    retryTask: (id) => ask(connection, "POST", `/v1/tasks/${id}/retry`, taskRetriedSchema),
    async removeTask(id) {
      await ask(connection, "DELETE", `/v1/tasks/${id}`, doneSchema);
    },
    tasks: async () => (await ask(connection, "GET", "/v1/tasks", taskListSchema)).tasks,
    task: (id, devices = "all", signal = undefined) =>
      ask(connection, "GET", `/v1/tasks/${id}?devices=${devices}`, taskDetailSchema, { signal }),
    devices: async () => (await ask(connection, "GET", "/v1/devices", deviceListSchema)).devices,
    async splitSubnet(id) {
      await ask(connection, "POST", `/v1/subnets/${encodeURIComponent(id)}/split`, doneSchema);
    },
    subnets: async () => (await ask(connection, "GET", "/v1/subnets", subnetListSchema)).subnets,
  };
}
