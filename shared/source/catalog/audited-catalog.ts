/**
 * Changes that the audit records: for every method of the stores, what its row names, or that it
 * has none. A new method does not compile before it has an entry here. Rows have no secrets.
 */
import { keyName, type Signed } from "../../model/trust/index.ts";
import { redactUrl } from "../../model/package-url.ts";
import type { Catalog, PackageRecord, TaskRecord } from "./catalog.ts";
import type { NewDevice } from "./device-life.ts";
import type { TokenRecord } from "./token-store.ts";
import type { WebhookRecord } from "./webhook-store.ts";
import { sessionsTable, singleSignOnTable, usersTable, type PeopleStores } from "./audited-people.ts";
import { audited, settled, type AuditTable, type Trail } from "./audited-store.ts";

type Stores = Pick<
  Catalog,
  | "tasks"
  | "settings"
  | "labels"
  | "packages"
  | "subnets"
  | "life"
  | "logs"
  | "tokens"
  | "address"
  | "trust"
  | "webhooks"
> &
  PeopleStores;

/** Ids that an object lists. */
const listedMax = 20;
const devicesText = (ids: readonly string[]): string =>
  ids.length === 1
    ? `device ${ids[0]}`
    : `${ids.length} devices: ${ids.slice(0, listedMax).join(", ")}${ids.length > listedMax ? " …" : ""}`;
const packageText = (id: string): string => `package ${id}`;

const taskState = (task: Omit<TaskRecord, "id" | "epoch"> | null) => {
  if (task === null) return null;
  const { taskKey: _key, packageBytes: _bytes, ...rest } = task;
  return rest;
};
const packageState = (record: PackageRecord | null) =>
  record && {
    name: record.name,
    version: record.version,
    state: record.state,
    urls: record.urls.map(({ url }) => redactUrl(url)),
  };
const tokenState = (token: TokenRecord | null) => {
  if (token === null) return null;
  const { lastUsedAtMs: _used, uses: _uses, ...rest } = token;
  return rest;
};
const deviceState = ({ hostname, os }: NewDevice) => ({ hostname, os });

const tasksTable = ({ tasks }: Stores): AuditTable<Stores["tasks"]> => ({
  byId: "unaudited",
  list: "unaudited",
  open: "unaudited",
  killedOn: "unaudited",
  endedOn: "unaudited",
  endedBefore: "unaudited",
  recordProgress: "unaudited",
  progressFor: "unaudited",
  reportsFor: "unaudited",
  counters: "unaudited",
  page: "unaudited",
  resultsFor: "unaudited",
  reportsBy: "unaudited",
  create: { object: (_, { id }) => `task ${id}`, after: (_, task) => taskState(task) },
  change: { object: ([id]) => `task ${id}`, state: ([id]) => taskState(settled(tasks.byId(id))) },
  removePart: { object: ([id]) => `task ${id}`, state: ([id]) => taskState(settled(tasks.byId(id))) },
  retry: { object: ([id]) => `task ${id}`, after: (_, ids) => ({ retried: devicesText(ids) }) },
});

const settingsTable = ({ settings }: Stores): AuditTable<Stores["settings"]> => {
  const contentOf = (name: string): unknown => {
    const node = settled(settings.tree()).get(name);
    return node === undefined ? null : { parent: node.parent, ...node.differences };
  };
  return {
    tree: "unaudited",
    versions: "unaudited",
    uses: "unaudited",
    assignments: "unaudited",
    change: { object: ([name]) => `setting ${name}`, state: ([name]) => contentOf(name) },
    rename: { object: ([from]) => `setting ${from}`, after: ([, to]) => ({ name: to }) },
    remove: { object: ([name]) => `setting ${name}`, state: ([name]) => contentOf(name) },
    changeAssignments: {
      object: () => "setting assignments",
      state: () => settled(settings.assignments()).map(({ setting, target }) => `${setting}: ${target}`),
    },
  };
};

const labelsTable: AuditTable<Stores["labels"]> = {
  groups: "unaudited",
  sites: "unaudited",
  tag: { object: ([ids]) => devicesText(ids), after: ([, change]) => change },
  createGroup: { object: ([name]) => `group ${name}` },
  removeTag: { object: ([name]) => `group ${name}`, after: (_, ids) => ({ takenFrom: devicesText(ids) }) },
  createSite: { object: ([name]) => `site ${name}` },
  renameSite: { object: ([name]) => `site ${name}`, after: ([, newName]) => ({ name: newName }) },
  removeSite: { object: ([name]) => `site ${name}` },
  labelSubnet: { object: ([id]) => `subnet ${id}`, after: ([, label]) => label },
};

const packagesTable = ({ packages }: Stores): AuditTable<Stores["packages"]> => {
  const stateOf = (id: string): unknown => packageState(settled(packages.byId(id)));
  return {
    byId: "unaudited",
    byNameVersion: "unaudited",
    list: "unaudited",
    page: "unaudited",
    signedManifest: "unaudited",
    unfinishedBefore: "unaudited",
    publisherOf: "unaudited",
    replaceSignature: {
      object: ([id]) => packageText(id),
      after: ([, { publisherKey }]) => ({ publisher: Buffer.from(publisherKey).toString("hex") }),
    },
    add: { object: ([{ id }]) => packageText(id), after: ([record]) => packageState(record) },
    addUrl: { object: ([id]) => packageText(id), state: ([id]) => stateOf(id) },
    removeUrl: { object: ([id]) => packageText(id), state: ([id]) => stateOf(id) },
    markReady: { object: ([id]) => packageText(id), state: ([id]) => stateOf(id) },
    removeUnfinished: { object: ([id]) => packageText(id), state: ([id]) => stateOf(id) },
    remove: { object: ([id]) => packageText(id), state: ([id]) => stateOf(id) },
  };
};

const subnetsTable: AuditTable<Stores["subnets"]> = {
  candidates: "unaudited",
  candidate: "unaudited",
  deviceCount: "unaudited",
  sideOf: "unaudited",
  sharers: "unaudited",
  joinEgress: {
    object: ([id]) => `subnet ${id}`,
    after: ([, deviceId]) => ({ sharesLease: deviceId }),
  },
  merge: {
    object: ([{ from }]) => `subnet ${from.id}`,
    after: ([{ into, deviceId, confirmedBy }]) => ({ into: into.id, deviceId, confirmedBy }),
  },
  split: { object: ([id]) => `subnet ${id}`, after: (_, ids) => ({ moved: devicesText(ids) }) },
};

const lifeTable: AuditTable<Stores["life"]> = {
  sameMachine: "unaudited",
  barred: "unaudited",
  named: "unaudited",
  inventoryOf: "unaudited",
  unseenSince: "unaudited",
  lastContactMs: "unaudited",
  expiryFromMs: "unaudited",
  setExpiryFrom: "unaudited",
  deletePart: "unaudited",
  packageFacts: "unaudited",
  history: "unaudited",
  noteAbsent: "unaudited",
  endedWithout: "unaudited",
  forgetAbsent: "unaudited",
  enroll: {
    object: ([{ id }], enrolled) => `device ${enrolled?.deviceId ?? id}`,
    after: ([device, { name, tags }], enrolled) => ({
      ...deviceState(device),
      token: name,
      tags,
      how: enrolled?.decision.kind,
    }),
  },
  // A caller without a token would fill the audit; the approval has a row.
  enrollPending: "unaudited",
  withCode: "unaudited",
  earlierImaging: "unaudited",
  imaging: "unaudited",
  deletePending: "unaudited",
  enrollClone: {
    object: ([{ id }], clone) => `device ${clone.result === "enrolled" ? clone.deviceId : id}`,
    after: ([device, from]) => ({ ...deviceState(device), from }),
  },
  remove: {
    object: (_, removed) => devicesText(removed.map(({ id }) => id)),
    after: ([, why], removed) => ({
      why,
      hostnames: removed.slice(0, listedMax).map(({ hostname }) => hostname),
    }),
  },
  approve: { object: ([id]) => `device ${id}`, after: () => ({ approved: true }) },
  rename: { object: ([id]) => `device ${id}`, after: ([, name]) => ({ name }) },
};

/** The row has the person who asks for the log of a device, and nothing of the log. */
const logsTable: AuditTable<Stores["logs"]> = {
  read: "unaudited",
  answer: "unaudited",
  removeBefore: "unaudited",
  ask: { object: ([id]) => `log of device ${id}` },
};

const tokensTable = ({ tokens }: Stores): AuditTable<Stores["tokens"]> => {
  const nameOf = (id: string): string => settled(tokens.named(id))?.name ?? id;
  const stateOf = (id: string): unknown => tokenState(settled(tokens.named(id)));
  return {
    list: "unaudited",
    byDigest: "unaudited",
    named: "unaudited",
    noteUse: "unaudited",
    removeEndedBefore: "unaudited",
    add: { object: ([{ name }]) => `token ${name}`, after: ([{ id }]) => stateOf(id) },
    setApprovesTakeovers: { object: ([id]) => `token ${nameOf(id)}`, state: ([id]) => stateOf(id) },
    revoke: { object: ([id]) => `token ${nameOf(id)}`, state: ([id]) => stateOf(id) },
  };
};

/** The secret, and what deliveries count, are left out. */
const webhookState = (webhook: WebhookRecord | null) =>
  webhook && { id: webhook.id, url: webhook.url, events: webhook.events };
const webhooksTable = ({ webhooks }: Stores): AuditTable<Stores["webhooks"]> => {
  const found = (words: string): WebhookRecord | null => settled(webhooks.named(words));
  return {
    list: "unaudited",
    named: "unaudited",
    due: "unaudited",
    note: "unaudited",
    waiting: "unaudited",
    add: { object: ([{ name }]) => `webhook ${name}`, after: ([{ id }]) => webhookState(found(id)) },
    remove: { object: ([id]) => `webhook ${id}`, state: ([id]) => webhookState(found(id)) },
  };
};

const signersOf = (signed: Signed | null) => signed && signed.signatures.map(({ key }) => keyName(key));
const trustTable: AuditTable<Stores["trust"]> = {
  files: "unaudited",
  order: "unaudited",
  orders: "unaudited",
  lastSequence: "unaudited",
  putOwnOrder: "unaudited",
  addFile: {
    object: ([version]) => `trust file ${version}`,
    after: ([, signed]) => ({ file: signed.payload, signers: signersOf(signed) }),
  },
  putOrder: {
    object: ([kind, { subject }]) => `order ${kind} ${subject}`.trim(),
    after: ([, { sequence, signed, pending }]) => ({
      sequence,
      signers: signersOf(signed),
      pending: signersOf(pending),
    }),
  },
  removeOrders: { object: () => "all orders" },
  removeOrder: { object: ([kind, subject]) => `order ${kind} ${subject}` },
};

const addressTable = ({ address }: Stores): AuditTable<Stores["address"]> => ({
  announced: "unaudited",
  announce: { object: () => "address of the source", state: () => settled(address.announced()) },
});

/** Returns the stores with a row of the audit for every change. */
export function auditedStores(trail: Trail, stores: Stores): Stores {
  return {
    tasks: audited(trail, "tasks", stores.tasks, tasksTable(stores)),
    settings: audited(trail, "settings", stores.settings, settingsTable(stores)),
    labels: audited(trail, "labels", stores.labels, labelsTable),
    packages: audited(trail, "packages", stores.packages, packagesTable(stores)),
    subnets: audited(trail, "subnets", stores.subnets, subnetsTable),
    life: audited(trail, "life", stores.life, lifeTable),
    logs: audited(trail, "logs", stores.logs, logsTable),
    tokens: audited(trail, "tokens", stores.tokens, tokensTable(stores)),
    address: audited(trail, "address", stores.address, addressTable(stores)),
    webhooks: audited(trail, "webhooks", stores.webhooks, webhooksTable(stores)),
    trust: audited(trail, "trust", stores.trust, trustTable),
    users: audited(trail, "users", stores.users, usersTable(stores)),
    sessions: audited(trail, "sessions", stores.sessions, sessionsTable),
    singleSignOn: audited(trail, "singleSignOn", stores.singleSignOn, singleSignOnTable(stores)),
  };
}
