/**
 * The agent: the program around a device, for roles/peer.ts and roles/representative.ts. Connects
 * the device to the operating system, checks in at the source, follows changes of the network,
 * reports progress, and answers `status`.
 */
import os from "node:os";
import { join } from "node:path";
import type { CheckInAnswer } from "../api/agent-client.ts";
import { Device } from "../device/device.ts";
import { sessionSizes, type DevicePorts, type Place } from "../device/ports.ts";
import { stateOf, takesPart } from "../device/task-status.ts";
import type { Task } from "../device/task.ts";
import { BugError } from "../model/assert.ts";
import { deviceZone } from "../model/time-zone.ts";
import { formatGroup } from "../net/lan/multicast-group.ts";
import { openRangeStream } from "../net/web/range-stream.ts";
import { platform } from "../platform/index.ts";
import { ensurePrivateFolder, narrowFiles } from "../platform/private-files.ts";
import { systemClock } from "../platform/system-clock.ts";
import { version } from "../version.ts";
import type { AgentOptions } from "./agent-options.ts";
import { CheckIns } from "./check-ins.ts";
import { disksOf } from "./disks.ts";
import { GcTrigger } from "./gc-trigger.ts";
import { Home } from "./home.ts";
import { readInventory, statementOf } from "./inventory.ts";
import { lanParts, loopbackAddress, type LanParts } from "./lan-parts.ts";
import { endStates } from "../api/schema/common.ts";
import { sendLogTail } from "./log-tail.ts";
import { ImagingScreen } from "./imaging-screen.ts";
import { MachineEndWatch } from "./machine-end.ts";
import { OwnSetting } from "./own-setting.ts";
import { ProgressReports, sharedIntervalMs } from "./progress-reports.ts";
import { createRanker } from "./ranker.ts";
import { Roaming } from "./roaming.ts";
import { gaugesOf } from "./status/gauges.ts";
import { lanStatus } from "./status/lan-status.ts";
import { AgentMetrics } from "./status/metrics.ts";
import { serveMetrics } from "./status/metrics-server.ts";
import { taskStatus } from "./status/task-status.ts";
import { StatusServer, type AgentStatus } from "./status/status-server.ts";
import { removeLogsWithoutTask } from "./task-logs.ts";
import { commandsIn } from "./task-command.ts";
import { TrustedAnswers } from "./trusted-answers.ts";

/**
 * Upper bound on the last report at shutdown, so that a service stops within a second although the
 * source does not answer. What was not reported is reported after the next start.
 */
const lastReportMs = 700;

export class Agent {
  readonly #options: AgentOptions;
  readonly #home: Home;
  readonly #metrics = new AgentMetrics();
  readonly #place: Place = { address: loopbackAddress, subnetId: null, answered: null };
  readonly #net: LanParts;
  readonly #device: Device;
  readonly #reports: ProgressReports;
  readonly #checkIns: CheckIns;
  readonly #roaming: Roaming;
  readonly #own: OwnSetting;
  readonly #trust: TrustedAnswers;
  /** Servers for this machine, and its end. */
  readonly #local: {
    status?: StatusServer;
    machineEnd?: MachineEndWatch;
    screen?: ImagingScreen;
    metrics?: Bun.Server<undefined> | null;
  } = {};

  constructor(options: AgentOptions) {
    this.#options = options;
    const { log, identity, onBug, onBarred } = options;
    this.#own = new OwnSetting(options.cache, log);
    const activeInterface = () => this.#roaming.current;
    this.#trust = new TrustedAnswers({ identity, ledger: options.cache.ledger, activeInterface, log });
    const onError = (error: unknown): void => {
      if (error instanceof BugError) return onBug(error);
      log.error({ error: String(error) }, "network error");
    };
    this.#home = new Home({
      identity,
      givenUrl: options.sourceUrl,
      allowsPlainHttp: options.allowsPlainHttp,
      ledger: options.cache.ledger,
      log,
      onMoved: () => this.#checkIns.hurry(),
      onBarred,
      random: Math.random,
    });
    this.#net = lanParts({
      options,
      current: activeInterface,
      wakeMode: () => this.#own.values.wakeOnLan,
      onNeighbour: (id) => this.#onNeighbour(id),
      onError,
    });
    this.#device = new Device({ ports: this.#ports(), onChange: (task) => this.#onChange(task) });
    this.#reports = new ProgressReports({
      send: (reports) => this.#home.client.progress(reports),
      read: (taskId) => this.#device.tasks.get(taskId)?.progress() ?? this.#trust.progress(taskId),
      intervalMs: () => this.#reportIntervalMs(),
      // The task may have ended after its report was written.
      onSent: (reports) =>
        this.#onReported(reports.filter(({ state }) => endStates.has(state)).map(({ taskId }) => taskId)),
      onRefused: ({ taskId }, error) =>
        log.error({ taskId, error: error.message }, "the source refused the report of a task"),
      random: Math.random,
    });
    this.#checkIns = new CheckIns({
      client: this.#home.client,
      log,
      intervalMs: () => this.#own.values.checkInIntervalMs,
      inventory: () => this.#inventory(),
      stated: () => statementOf(options.cache, this.#own.version),
      trust: () => this.#trust.keeper.known,
      serving: () => this.#device.serving,
      lanPort: () => this.#net.exchange.lanPort,
      onFailure: () => this.#home.onFailure(),
      onAnswer: (answer, serving) => this.#onAnswer(answer, serving),
      random: Math.random,
    });
    this.#roaming = this.#createRoaming();
    const tasks = () => this.#device.tasks.values();
    gaugesOf(this.#metrics, this.#net, tasks, () => this.#trust.keeper.status);
  }

  #ports(): DevicePorts {
    const { log, cache, identity, dataFolder, conditions, volunteer, onBug } = this.#options;
    const medium = () => this.#roaming.current?.medium ?? null;
    const gcTrigger = new GcTrigger(() => performance.now());
    return {
      device: identity.deviceId,
      clock: systemClock,
      random: Math.random,
      cache,
      lan: this.#net.lan,
      peers: this.#net.exchange,
      web: { open: openRangeStream },
      source: this.#home.client,
      commands: commandsIn(join(dataFolder, "tasks")),
      activity: platform,
      conditions: () => conditions.conditions,
      timeZone: deviceZone,
      upgrades: this.#options.upgrades,
      disks: disksOf(this.#options.imaging),
      place: this.#place,
      medium,
      rank: createRanker({ medium, conditions, volunteer }),
      publisherKeys: (packageName) => this.#trust.keeper.publisherKeys(packageName),
      sizes: sessionSizes,
      log,
      metrics: this.#metrics,
      onBug,
      onBytesPassed: () => gcTrigger.collectIfGrown(),
    };
  }

  #createRoaming(): Roaming {
    const { interfaceNamed, group, log } = this.#options;
    return new Roaming({
      lanGroup: this.#net.lanGroup,
      exchange: this.#net.exchange,
      client: this.#home.client,
      place: this.#place,
      named: interfaceNamed,
      group,
      log,
      moving: {
        isBusy: () => [...this.#device.tasks.values()].some(takesPart),
        leave: (reason) => this.#leaveSubnet(reason),
        onMoved: () => this.#checkIns.hurry(),
        onChanged: () => {
          this.#metrics.interfaceChanged();
          void this.#options.conditions.read();
        },
      },
    });
  }

  /** Joins the LAN, resumes the tasks and starts to check in. */
  async start(): Promise<void> {
    const { log, group, dataFolder, metrics, conditions } = this.#options;
    const logs = join(dataFolder, "tasks");
    await ensurePrivateFolder(logs, "folder of the commands' output");
    narrowFiles(logs);
    await this.#roaming.start();
    await conditions.start({
      active: () => this.#roaming.current,
      intervalMs: () => this.#own.values.guardIntervalMs,
      onRead: () => this.#device.onConditions(),
    });
    const { current, why } = this.#roaming;
    const parts = { dataFolder, status: () => this.status(), metrics: this.#metrics };
    this.#local.status = await StatusServer.start(parts);
    if (metrics !== null) this.#local.metrics = serveMetrics(metrics, this.#metrics, log);
    log.info(
      {
        deviceId: this.#home.identity.deviceId,
        source: this.#home.client.sourceUrl,
        interface: current && `${current.name} ${current.address}`,
        medium: current?.medium,
        why,
        group: formatGroup(group),
        receiveBufferBytes: this.#net.lanGroup.bus?.receiveBufferBytes,
        version,
      },
      "agent runs",
    );
    if (this.#trust.keeper.file !== null)
      await this.#options.cache.adoptFound(this.#trust.keeper.allPublisherKeys);
    await this.#device.resume();
    if (this.#options.imaging !== null) this.#startImaging();
    this.#checkIns.start();
  }

  /** Shows what the machine does on its screen, and ends it after the image. */
  #startImaging(): void {
    const { identity } = this.#home;
    const credential = identity.isPending === true ? identity.credential : null;
    this.#local.screen = new ImagingScreen(() => this.status(), credential);
    this.#local.machineEnd = new MachineEndWatch(this.#device.tasks, this.#options.log);
  }

  /**
   * Ends within seconds: sessions resign, verified chunks are written, and the source gets the last
   * report.
   */
  async stop(): Promise<void> {
    this.#local.machineEnd?.close();
    this.#local.screen?.close();
    this.#roaming.close();
    this.#options.conditions.close();
    this.#checkIns.stop();
    this.#home.close();
    await this.#device.stop();
    await Promise.race([this.#reports.flush(), Bun.sleep(lastReportMs)]);
    this.#reports.close();
    this.#device.close();
    await this.#net.exchange.close();
    await this.#local.status?.close();
    await this.#local.metrics?.stop(true);
    this.#net.lanGroup.close();
    await this.#options.cache.close();
  }

  status(): AgentStatus {
    return {
      version,
      pid: process.pid,
      deviceId: this.#home.identity.deviceId,
      hostname: os.hostname(),
      source: this.#home.client.sourceUrl,
      connected: this.#checkIns.isConnected,
      lostContact: this.#checkIns.contact.lost,
      approval: this.#checkIns.approval,
      subnetId: this.#place.subnetId,
      setting: this.#own.version,
      trust: this.#trust.keeper.status,
      conditions: this.#options.conditions.conditions,
      group: formatGroup(this.#options.group),
      ...lanStatus(this.#net, this.#roaming),
      tasks: [...this.#device.tasks.values()].map(taskStatus),
    };
  }

  #onChange(task: Task): void {
    this.#reports.touch(task.id, `${stateOf(task)} ${task.session?.member.role ?? ""}`);
  }

  #onReported(taskIds: number[]): void {
    for (const id of taskIds) {
      const task = this.#device.tasks.get(id);
      if (!task || task.stage.kind !== "ended" || task.row.reported) continue;
      task.row.reported = true;
      task.saving.trySave();
    }
    this.#device.erase();
  }

  #reportIntervalMs(): number {
    const active = [...this.#device.tasks.values()].filter((task) => !task.isOver);
    const intervalMs = Math.min(
      this.#own.values.reportIntervalMs,
      ...active.map(({ row }) => row.task.setting.values.reportIntervalMs),
    );
    const peers = active.map(({ session }) => session?.member.fellowPeers ?? 0);
    return sharedIntervalMs(intervalMs, Math.max(0, ...peers));
  }

  async #inventory() {
    const { group, groupIsNamed, groups, dataFolder, cache, conditions } = this.#options;
    const { deviceClass, conditions: measured } = conditions.latest;
    return readInventory({
      deviceClass,
      onBattery: measured.onBattery === true,
      interfaces: this.#roaming.interfaces,
      active: this.#roaming.current,
      gatewayMac: await this.#roaming.gatewayMac(),
      group: groupIsNamed ? formatGroup(group) : "",
      groups,
      dataFolder,
      cacheBytes: cache.storedBytes,
    });
  }

  #leaveSubnet(reason: string): () => void {
    // The change stream is about to end and be opened again, which is not a lost connection.
    this.#checkIns.isConnected = false;
    this.#net.probes.clear();
    return this.#device.leaveSubnet(reason);
  }

  /** Tells the source that the other device of a probe is on this LAN. */
  #onNeighbour(probe: string): void {
    const { log } = this.#options;
    this.#home.client
      .neighbour(probe)
      .catch((error: unknown) => log.warn({ error: String(error) }, "the source did not take a probe"));
  }

  #adoptPackages(): void {
    const { cache, log } = this.#options;
    void cache.adoptFound(this.#trust.keeper.allPublisherKeys).catch((error: unknown) => {
      log.error({ error: String(error) }, "the packages on the disk were not taken over");
    });
  }

  #onAnswer(answer: CheckInAnswer, serving: readonly number[]): void {
    const { cache, log } = this.#options;
    this.#reports.onSourceAnswers();
    this.#place.subnetId = answer.subnetId;
    this.#place.answered = {
      sourceMs: answer.sourceTimeMs,
      wallMs: systemClock.wallMs(),
      nowMs: systemClock.nowMs(),
    };
    const touch = (taskId: number, state: string): void => this.#reports.touch(taskId, state);
    const isFirst = this.#trust.keeper.file === null;
    const trusted = this.#trust.take(answer, this.#home.client, touch);
    if (trusted.ownSetting !== null && this.#own.replace(trusted.ownSetting)) {
      this.#checkIns.stateSoon();
      void this.#options.conditions.read();
    }
    void cache
      .evict(answer.sourceTimeMs)
      .catch((error: unknown) => log.error({ error: String(error) }, "task"));
    // Tasks of the answer wait for it: their packages may be on the disk.
    if (isFirst) this.#adoptPackages();
    this.#home.onAnswer(answer.announcedUrl);
    if (answer.unreadable.length > 0)
      log.error({ taskIds: answer.unreadable }, "the source sent tasks that this version cannot read");
    if (this.#device.accept(trusted.tasks, serving, answer)) this.#checkIns.hurry();
    removeLogsWithoutTask(join(this.#options.dataFolder, "tasks"), this.#device.tasks);
    for (const { secret, ...probe } of answer.probes)
      this.#net.probes.begin({ ...probe, secret: Buffer.from(secret, "base64") });
    this.#net.wakes.take(answer.wakes, this.#home.client);
    if (answer.logRequest !== null)
      sendLogTail(this.#home.client, this.#options, answer.logRequest, this.#own.values.shareLog);
    this.#options.onCheckIn();
  }
}
