/** A valid body for every schema and request of the API, as a start for mutations. */
import type { GenericSchema } from "valibot";
import { problemReason } from "../../shared/model/reason.ts";
import * as admin from "../../shared/api/schema/admin.ts";
import * as settings from "../../shared/api/schema/settings.ts";
import * as agent from "../../shared/api/schema/agent.ts";
import { deviceRenameSchema, deviceSchema } from "../../shared/api/schema/device.ts";
import * as audit from "../../shared/api/schema/audit.ts";
import * as labels from "../../shared/api/schema/labels.ts";
import * as tokens from "../../shared/api/schema/tokens.ts";
import * as trust from "../../shared/api/schema/trust.ts";
import { errorSchema } from "../../shared/api/schema/common.ts";
import { taskForTest } from "../../shared/device/testing.ts";
import { inventoryOf } from "../../shared/source/app-fixture.ts";
import { defaultSettingValues } from "../../shared/model/setting.ts";

const packageId = "ab".repeat(32);
const deviceId = "00000000000000aa";
const subnetId = "00000000000000bb";
const base64 = (length: number): string => Buffer.alloc(length, 7).toString("base64");
const wanSchedule = [{ days: ["mon"], fromMinute: 0, toMinute: 60, rateBps: null }];
const settingCreate = {
  name: "s",
  parent: "default",
  differences: { ...defaultSettingValues, wanSchedule },
};
const settingEdit = { set: { lanRateBps: null, wanSchedule }, inherit: ["useMulticast"], parent: "default" };
const settingAssign = { setting: "default", target: "group:a", rank: 1 };

export const agentTask: agent.AgentTask = { ...taskForTest(), id: 1, action: "run", command: "true" };
const signedText = { payload: "{}", signatures: [{ key: "ab".repeat(32), signature: base64(64) }] };
const { taskKey, packageKey } = agentTask;
const subject = { kind: "task", subject: "1" };
const neededOrder = { ...subject, content: { taskId: 1 }, pending: signedText };
const assignedTask = {
  id: 1,
  order: signedText,
  attempt: 1,
  paused: false,
  taskKey,
  packageKey,
  packageKeyBefore: null,
};
const inventory = inventoryOf("h", "10.0.0.5", ["a"]);
const progress = {
  taskId: 1,
  state: "receiving",
  role: "peer",
  term: 1,
  bytesTotal: 100,
  bytesVerified: 1,
  from: { wan: 0, multicast: 1, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 5,
  reasons: [problemReason("receives")],
  command: {
    exitCode: 0,
    timedOut: false,
    outputTail: "",
    meaning: "success",
    runs: 1,
    startedAtMs: 1,
    endedAtMs: 2,
  },
  wrongFrom: [{ address: "10.0.0.9", deviceId: null, chunks: 1 }],
};
const taskCreate = {
  package: "tool",
  action: "run",
  command: "x",
  run: null,
  setting: null,
  target: "all",
  startAtMs: null,
  startIsLocal: true,
  deadlineAtMs: null,
  notWhile: ["EXCEL.EXE"],
};
const envelope = { manifest: base64(100), signature: base64(64), publisherKey: base64(32) };
const lease = { taskId: 1, subnetId, address: "10.0.0.5", lanPort: 7_000, term: 1, query: false };
const holder = { deviceId, address: "10.0.0.5", lanPort: 7_000, term: 1 };
const enroll = {
  token: `fc_e${"x".repeat(43)}.${"0".repeat(64)}`,
  hostname: "h",
  os: "linux",
  arch: "x64",
  agentVersion: "1",
  machine: "cd".repeat(32),
  instance: "0123456789abcdef",
};
const { token: _, ...enrollClone } = enroll;
const checkIn = { inventory, packages: [packageId], instance: enroll.instance };
const shownDevice = {
  id: deviceId,
  hostname: "h",
  subnetId,
  subnetName: "floor-2",
  site: null,
  setting: "default",
  tags: ["b7"],
  wishes: [],
  enrolledAtMs: 1,
  lastSeenAtMs: 2,
  connected: true,
  name: "Desk",
  agentVersion: "1",
  state: "suspended",
  stateSinceMs: 3,
  removedWhy: null,
  takenOverAtMs: 3,
  enrolledWith: "room-5",
  inventory,
};
const personToken = { kind: "person", name: "ci", role: "operator", scope: ["b7"], expiresAtMs: null };
const enrolmentToken = {
  kind: "enrolment",
  name: "room-5",
  tags: ["Größe"],
  needsApproval: true,
  approvesTakeovers: false,
  uses: 5,
  expiresAtMs: null,
};
const auditRow = {
  sequence: 1,
  atMs: 2,
  actor: "ci",
  kind: "token",
  address: "10.0.0.5",
  action: "PUT /v1/groups/:name",
  object: "group a",
  before: null,
  after: "{}",
  result: "done",
  count: 1,
  previous: "ab".repeat(32),
  hash: "cd".repeat(32),
};
const release = { taskId: 1, subnetId, failure: "x" };
const tagging = { devices: "os=linux and not tag=b7", add: ["b7"], remove: ["Größe"], known: false };
const subnetLabel = { name: "floor-2", site: null };

/** Requests: method, path, who is authorized, body. */
export const requests = [
  ["POST", "/v1/agent/enroll", "nobody", enroll],
  ["POST", "/v1/agent/enroll/clone", "device", enrollClone],
  // Without the instance: alternating ones bar the credential.
  ["POST", "/v1/agent/check-in", "device", { inventory, packages: [packageId] }],
  ["POST", "/v1/agent/lease", "device", lease],
  ["POST", "/v1/agent/lease/release", "device", release],
  ["POST", "/v1/agent/progress", "device", { reports: [progress] }],
  ["POST", "/v1/packages", "admin", { packed: base64(100) }],
  ["POST", "/v1/tasks", "admin", taskCreate],
  ["POST", "/v1/tasks/dry-run", "admin", taskCreate],
  ["POST", "/v1/tags", "admin", tagging],
  ["PATCH", `/v1/subnets/${subnetId}`, "admin", subnetLabel],
  ["POST", "/v1/settings", "admin", settingCreate],
  ["PATCH", "/v1/settings/s", "admin", settingEdit],
  ["PUT", "/v1/setting-assignments", "admin", settingAssign],
  ["POST", "/v1/agent/trust", "device", { files: [signedText] }],
  ["POST", "/v1/trust/files", "admin", { files: [signedText] }],
  ["POST", "/v1/trust/orders", "admin", { orders: [{ ...subject, signed: signedText }] }],
  ["POST", "/v1/trust/freshness", "admin", { signed: signedText }],
  ["GET", "/v1/trust", "admin", null],
  ["GET", "/v1/trust/needed?kind=task&subject=1", "admin", null],
  ["GET", "/v1/trust/order?kind=task&subject=1", "admin", null],
  ["GET", "/v1/tasks/1", "admin", null],
  ["GET", "/v1/devices/h", "admin", null],
  ["GET", "/v1/devices/h/tasks?limit=5", "admin", null],
  ["PATCH", "/v1/devices/h", "admin", { name: "Desk" }],
  ["POST", "/v1/devices/h/approve", "admin", null],
  ["GET", "/v1/packages/tool/devices?lacking=true", "admin", null],
  ["GET", `/v1/packages/${packageId}/content`, "device", null],
  ["POST", "/v1/tokens", "admin", personToken],
  ["POST", "/v1/tokens", "admin", enrolmentToken],
  ["GET", "/v1/audit?actor=a&action=b&object=c&since=1&before=9&limit=5", "admin", null],
  ["GET", `/v1/audit/verification?sequence=1&hash=${"ab".repeat(32)}`, "admin", null],
] as const satisfies readonly (readonly [string, string, "nobody" | "device" | "admin", unknown])[];

/** Every schema of the API with a valid body. */
export const bodies: readonly (readonly [GenericSchema, unknown])[] = [
  [agent.enrollRequestSchema, enroll],
  [agent.enrollResponseSchema, { deviceId, credential: "c", deployment: 1 }],
  [agent.enrollCloneRequestSchema, enrollClone],
  [agent.checkInRequestSchema, checkIn],
  [deviceSchema, shownDevice],
  [deviceRenameSchema, { name: "Desk" }],
  [
    agent.checkInResponseSchema,
    {
      sourceTimeMs: 1,
      subnetId,
      trust: { version: 1, files: [signedText], freshness: signedText },
      ownSetting: { name: "default" },
      settings: [signedText],
      assignments: null,
      tasks: [assignedTask],
    },
  ],
  [agent.manifestResponseSchema, envelope],
  [agent.leaseRequestSchema, lease],
  [agent.leaseResponseSchema, { result: "refused", holder, retryAfterMs: 5 }],
  [
    agent.leaseResponseSchema,
    { result: "granted", expiresInMs: 5, term: 1, urls: [], atSource: true, uselessBytesLeft: 9 },
  ],
  [agent.leaseReleaseSchema, release],
  [agent.progressRequestSchema, { reports: [progress] }],
  [admin.publishRequestSchema, { packed: base64(100) }],
  [admin.taskCreateSchema, taskCreate],
  [labels.taggingSchema, tagging],
  [labels.subnetLabelSchema, subnetLabel],
  [settings.settingCreateSchema, settingCreate],
  [settings.settingEditSchema, settingEdit],
  [settings.settingAssignSchema, settingAssign],
  [tokens.tokenCreateSchema, personToken],
  [tokens.tokenCreateSchema, enrolmentToken],
  [audit.auditRowSchema, auditRow],
  [agent.handBackSchema, { files: [signedText] }],
  [trust.trustFilesBodySchema, { files: [signedText] }],
  [trust.ordersBodySchema, { orders: [{ ...subject, signed: signedText }] }],
  [trust.freshnessBodySchema, { signed: signedText }],
  [trust.neededListSchema, { needed: [neededOrder] }],
  [trust.orderViewSchema, { signed: signedText }],
  [trust.ordersAnswerSchema, { orders: [{ ...subject, isComplete: true }] }],
  [errorSchema, { error: "x", hint: "y", code: "device-removed" }],
];
