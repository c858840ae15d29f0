/**
 * Agent of a machine of the year: the real client of the source's API and the real decisions about
 * tasks (shared/device), without a LAN. Packages of a subnet's other machines are just there.
 *
 * One check-in does the work of a day: it takes the tasks, fetches packages, runs and reports.
 */
import {
  createAgentClient,
  enrollClone,
  enrollDevice,
  parseEnrollToken,
  SourceError,
  SourceTransport,
} from "../../shared/api/agent-client.ts";
import type { AgentTask } from "../../shared/api/schema/agent.ts";
import type { DeviceTaskState, Inventory, Progress } from "../../shared/api/schema/common.ts";
import { endOfCommand } from "../../shared/device/command-outcome.ts";
import { arrivalOf, firstRowOf } from "../../shared/device/task-arrival.ts";
import { acknowledge, holdOf, identityOf } from "../../shared/device/task-hold.ts";
import type { TaskRow } from "../../shared/device/task-record.ts";
import { TrustKeeper } from "../../shared/device/trust-keeper.ts";
import { selfOf } from "../../shared/model/target/testing-target.ts";
import { downgradeReason } from "../../shared/device/version-guard.ts";
import { emptyFolder, newInstance, taskName, type FolderIdentity, type Machine } from "./machine.ts";

/** World of an agent. */
export type Place = {
  readonly sourceUrl: () => string;
  readonly enrollToken: string;
  readonly nowMs: () => number;
  /** Exit code of a command, drawn for machine, task and attempt. */
  readonly exitCodeOf: (machine: Machine, task: AgentTask) => number;
  /** Whether another machine of the subnet has the package and is on. */
  readonly isOnLan: (machine: Machine, packageId: string) => boolean;
  readonly onEnrolled: (machine: Machine, deviceId: string) => void;
  /** Called when the source has taken reports. */
  readonly onReported: (deviceId: string, reports: readonly Progress[]) => void;
  /** Called for each request that got no answer: an agent asks again later. */
  readonly onUnreachable: (error: SourceError) => void;
};

/** The machine stopped while its command ran. */
class Crash extends Error {}

const manifestAttemptsMax = 3;
const bytesNone = { wan: 0, multicast: 0, peers: 0, cache: 0 };

export class FleetAgent {
  readonly #machine: Machine;
  readonly #place: Place;
  #transport: SourceTransport | null = null;
  #wanBytes = new Map<number, number>();
  /** Subnet in the last answer. */
  #subnetId: string | null = null;
  /** Name of the device's own setting in the last answer. */
  ownSetting: string | null = null;

  constructor(machine: Machine, place: Place) {
    this.#machine = machine;
    this.#place = place;
  }

  /** Key of the certificate that the agent knows. */
  get tlsSpki(): string | null {
    return this.#transport?.spki ?? null;
  }

  /** Starts the agent's process again. */
  restart(): void {
    this.close();
    this.#machine.instance = newInstance();
  }

  close(): void {
    this.#transport?.close();
    this.#transport = null;
  }

  /** Does the work of a day. A request without an answer ends it until the next day. */
  async work(): Promise<void> {
    try {
      await this.#checkIn();
    } catch (error) {
      if (error instanceof Crash) return this.restart();
      if (!(error instanceof SourceError) || error.kind !== "unreachable") throw error;
      this.#place.onUnreachable(error);
    }
  }

  async #checkIn(): Promise<void> {
    const { folder, instance } = this.#machine;
    if (folder.identity === null) await this.#enrol();
    for (const row of folder.rows.values()) if (row.life === "running") this.#adopt(row);
    const inventory = inventoryOf(this.#machine);
    const trust = this.#keeper();
    const answer = await this.#client()
      .checkIn({ inventory, instance, trust: trust.known })
      .catch((error: unknown) => this.#onRefused(error));
    if (answer === null) return;
    const { tasks, ownSetting, refused, handBack } = trust.take(answer);
    if (refused.length > 0) throw new Error(`a statement was refused: ${JSON.stringify(refused)}`);
    if (handBack.length > 0) await this.#client().handBack(handBack);
    this.ownSetting = ownSetting!.name;
    this.#subnetId = answer.subnetId;
    this.#machine.checkIns.push(this.#place.nowMs());
    this.#accept(tasks, new Set([...tasks.map(({ id }) => id), ...answer.unreadable]), answer.begun);
    await this.#report();
    for (const row of folder.rows.values()) await this.#advance(row);
    await this.#report();
  }

  /** Returns the checks of signed statements, which survive the agent in its folder. */
  #keeper(): TrustKeeper {
    const { folder } = this.#machine;
    const { deployment, trustRoot, deviceId } = folder.identity!;
    const { name, subnet } = this.#machine;
    return new TrustKeeper({
      ledger: {
        trust: () => structuredClone(folder.trust),
        saveTrust: (record) => (folder.trust = structuredClone(record)),
      },
      anchor: { deployment, root: trustRoot },
      wallMs: this.#place.nowMs,
      self: () => {
        const subnetOfDevice = { id: "", cidr: `10.${subnet}.0.0/24`, name: null };
        return selfOf({ id: deviceId, names: [name], subnet: subnetOfDevice });
      },
      log: { warn: () => {}, error: () => {} },
    });
  }

  /** Takes the tasks of the source, as Device.accept does. */
  #accept(tasks: readonly AgentTask[], named: ReadonlySet<number>, begun: readonly number[]): void {
    const { rows, traces } = this.#machine.folder;
    for (const row of rows.values())
      if (row.life === "open" && !named.has(row.task.id))
        Object.assign(row, { life: "cancelled", reported: false });
    for (const given of tasks) {
      const known = rows.get(given.id);
      const arrival = arrivalOf(known, given);
      if (known !== undefined && arrival === "known") {
        acknowledge(known, given);
        if (known.life === "open") known.task = given;
        else known.reported = false;
        continue;
      }
      const row = firstRowOf(given, arrival, {
        isReported: begun.includes(given.id),
        isLost: false,
        hasTrace: () => traces.get(given.id)?.identity === identityOf(given),
      });
      rows.delete(given.id);
      rows.set(given.id, row);
      if (row.life === "running") this.#adopt(row);
    }
  }

  /** Ends a task whose command was begun, with the outcome that the command left. */
  #adopt(row: TaskRow): void {
    const trace = this.#machine.folder.traces.get(row.task.id);
    this.#end(row, trace?.identity === identityOf(row.task) ? trace.exitCode : null);
  }

  async #advance(row: TaskRow): Promise<void> {
    const { folder } = this.#machine;
    const { task } = row;
    const nowMs = this.#place.nowMs();
    if (row.life !== "open" || task.startAtMs > nowMs || holdOf(task, nowMs) !== null) return;
    if (!folder.packages.has(task.packageId) && !(await this.#fetch(task))) return;
    if (task.action === "pre-cache") return void Object.assign(row, { life: "complete" });
    const why = downgradeReason(task, folder.rows.values());
    if (why !== null) return void Object.assign(row, { life: "superseded", reason: why });
    await this.#run(row);
  }

  async #run(row: TaskRow): Promise<void> {
    const machine = this.#machine;
    const { task } = row;
    const exitCode = this.#place.exitCodeOf(machine, task);
    row.life = "running";
    row.runs = 1;
    // The row is stored before the command, and reported as soon as the source answers.
    await this.#send([this.#progressOf(row)]);
    const { installation } = machine;
    machine.runs.push({ task: taskName(task), attempt: task.attempt, installation, exitCode });
    machine.folder.traces.set(task.id, { identity: identityOf(task), exitCode });
    if (machine.fate !== "none") this.#lose();
    this.#end(row, exitCode);
  }

  /** Stops the machine, with the loss that was drawn for it. */
  #lose(): never {
    const { folder, fate } = this.#machine;
    if (fate === "ledger") Object.assign(folder, { identity: null, rows: new Map() });
    if (fate === "folder") this.#machine.folder = emptyFolder();
    this.#machine.fate = "none";
    throw new Crash();
  }

  #end(row: TaskRow, exitCode: number | null): void {
    const meaning = exitCode === null ? "unknown" : exitCode === 0 ? "success" : "failed";
    const outcome = {
      exitCode,
      timedOut: false,
      outputTail: "",
      runs: 1,
      startedAtMs: null,
      endedAtMs: null,
    };
    row.command = { ...outcome, meaning };
    Object.assign(row, endOfCommand(row.task.id, row.command, row.task.setting.values), { reported: false });
    const orders = [...this.#machine.folder.rows.values()].map(({ ranAs }) => ranAs);
    if (meaning === "success") row.ranAs = 1 + Math.max(0, ...orders);
  }

  /** Fetches a package: from the LAN, or over the WAN as the subnet's representative. */
  async #fetch({ id: taskId, epoch, packageId }: AgentTask): Promise<boolean> {
    const { folder } = this.#machine;
    if (this.#place.isOnLan(this.#machine, packageId)) {
      folder.packages.add(packageId);
      return true;
    }
    const client = this.#client();
    const address = addressOf(this.#machine);
    const subnetId = this.#subnetId!;
    const about = { taskId, epoch, subnetId, address, lanPort: 7_000 };
    // The named holders are off, so that the source sends the manifest in the end.
    let attempt = 0;
    while ((await client.manifest({ ...about, attempt })).result === "elsewhere")
      if (attempt++ > manifestAttemptsMax) return false;
    const lease = await client.lease({ ...about, term: 1, uselessBytes: 0 });
    if (lease.result !== "granted") return false;
    const { authorization } = client;
    const response = await client.fetch(client.contentUrl(packageId), { headers: { authorization } });
    const bytes = (await response.arrayBuffer()).byteLength;
    if (response.status !== 200) throw new Error(`GET the content of ${packageId}: ${response.status}`);
    this.#wanBytes.set(taskId, bytes);
    folder.packages.add(packageId);
    await client.releaseLease({ taskId, epoch, subnetId, failure: null, uselessBytes: 0 });
    return true;
  }

  /** Reports every task that ended since the last report. */
  async #report(): Promise<void> {
    const ended = [...this.#machine.folder.rows.values()].filter(
      ({ life, reported }) => life !== "open" && life !== "running" && !reported,
    );
    if (ended.length === 0) return;
    await this.#send(ended.map((row) => this.#progressOf(row)));
    for (const row of ended) row.reported = true;
  }

  async #send(reports: readonly Progress[]): Promise<void> {
    await this.#client().progress(reports);
    this.#place.onReported(this.#machine.folder.identity!.deviceId, reports);
  }

  #progressOf({ life, task, command }: TaskRow): Progress {
    return {
      taskId: task.id,
      attempt: task.attempt,
      epoch: task.epoch,
      createdAtMs: task.createdAtMs,
      state: life as DeviceTaskState,
      role: "none",
      term: 0,
      bytesTotal: 0,
      bytesVerified: 0,
      from: bytesNone,
      wanBytesFetched: this.#wanBytes.get(task.id) ?? 0,
      lanBytesSent: 0,
      rateBps: 0,
      way: "none",
      reasons: [],
      command: life === "running" ? null : command,
      follows: null,
      wrongFrom: [],
      receivedFrom: [],
    };
  }

  #client() {
    const { credential, sourceIdentity, tlsSpki } = this.#machine.folder.identity!;
    const url = this.#place.sourceUrl();
    const onSpki = (spki: string): void => {
      const { folder } = this.#machine;
      if (folder.identity !== null) folder.identity = { ...folder.identity, tlsSpki: spki };
    };
    this.#transport ??= new SourceTransport({ url, identity: sourceIdentity, spki: tlsSpki, onSpki });
    return createAgentClient({ transport: this.#transport, credential });
  }

  /** States of the machine at an enrolment. */
  get #about() {
    const { name, instance } = this.#machine;
    return { hostname: name, os: "linux", arch: "x64", agentVersion: "0.1.0", instance };
  }

  async #enrol(): Promise<void> {
    const request = { token: this.#place.enrollToken, ...this.#about };
    const machineOf = async (): Promise<string> => this.#machine.hardware;
    const enrolled = await enrollDevice(this.#place.sourceUrl(), request, { machineOf });
    const { deviceId, credential, deployment, identity: sourceIdentity, tlsSpki } = enrolled;
    const trustRoot = parseEnrollToken(this.#place.enrollToken).root;
    this.#adoptIdentity({ deviceId, credential, deployment, sourceIdentity, trustRoot, tlsSpki });
  }

  /** Enrols under an id of its own an agent whose credential another one uses too. */
  async #enrolAsClone(): Promise<void> {
    const identity = this.#machine.folder.identity!;
    const access = { transport: this.#transport!, credential: identity.credential };
    const { hardware: machine } = this.#machine;
    const { deviceId, credential } = await enrollClone(access, { ...this.#about, machine });
    this.#adoptIdentity({ ...identity, deviceId, credential });
  }

  #adoptIdentity(identity: FolderIdentity): void {
    const machine = this.#machine;
    machine.folder.identity = identity;
    machine.checkIns = [];
    this.#place.onEnrolled(machine, identity.deviceId);
  }

  /** Does what a refused agent does: ends, or enrols again and continues. */
  async #onRefused(error: unknown): Promise<null> {
    const machine = this.#machine;
    if (!(error instanceof SourceError) || error.kind !== "unauthorized") throw error;
    if (machine.service === "retired" && (error.status === 401 || error.code === "device-removed")) {
      machine.service = "removed";
      return null;
    }
    if (error.code === "device-cloned") await this.#enrolAsClone();
    else if (error.status === 401) await this.#enrol();
    else throw error;
    await this.#checkIn();
    return null;
  }
}

const addressOf = ({ subnet, hardware }: Machine): string =>
  `10.${subnet}.0.${2 + (Number.parseInt(hardware.slice(0, 4), 16) % 250)}`;

/** Returns the inventory of a machine on its subnet. */
function inventoryOf(machine: Machine): Inventory {
  const { name, subnet } = machine;
  const address = addressOf(machine);
  return {
    hostname: name,
    os: "linux",
    arch: "x64",
    agentVersion: "0.1.0",
    deviceClass: "desktop",
    onBattery: false,
    memoryBytes: 1e9,
    diskFreeBytes: 1e9,
    cacheBytes: 0,
    groups: [],
    interfaces: [
      {
        name: "eth0",
        address,
        cidr: `${address}/24`,
        mac: "02:00:00:00:00:01",
        medium: "wired",
        gatewayMac: `04:00:00:00:00:${String(10 + subnet)}`,
        group: "",
        active: true,
      },
    ],
  };
}
