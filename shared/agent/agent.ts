/**
 * The agent: what `roles/peer.ts` and `roles/representative.ts` run. Enrols once, keeps in touch with the source, has
 * one runner per task, offers what it caches to its subnet, and answers `status`.
 */
import { mkdirSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import type { DistributionCache, Identity } from "../cache/index.ts";
import { createAgentClient, type AgentClient } from "../api/agent-client.ts";
import type { AgentTask, CheckInResponse } from "../api/schema/agent.ts";
import type { DeviceTaskState } from "../api/schema/common.ts";
import { defaultSettingValues, type SettingValues } from "../model/setting.ts";
import type { Logger } from "../log.ts";
import { ExchangeServer } from "../net/exchange/server.ts";
import { formatGroup, type Group } from "../net/lan/multicast-group.ts";
import { version } from "../version.ts";
import type { AgentContext } from "../device/context.ts";
import { CheckIns } from "./check-ins.ts";
import { Offers } from "../device/offers.ts";
import { readInventory } from "./inventory.ts";
import { LanSessions } from "../device/lan-sessions.ts";
import { GcTrigger } from "./gc-trigger.ts";
import { AgentMetrics } from "./status/metrics.ts";
import { Roaming } from "./roaming.ts";
import type { RepresentativeFactory } from "../device/representative-context.ts";
import { gaugesOf } from "./status/gauges.ts";
import { createRanker } from "./ranker.ts";
import { ProgressReports, sharedIntervalMs } from "./progress-reports.ts";
import { StatusServer, type AgentStatus } from "./status/status-server.ts";
import { runCommand } from "./task-command.ts";
import { TaskRunner } from "../device/task.ts";
import { newTaskRow, parseTaskRow } from "../device/task-record.ts";
import { stateOf, takesPart } from "../device/task-status.ts";

export type AgentOptions = {
  dataFolder: string;
  log: Logger;
  cache: DistributionCache;
  identity: Identity;
  /** `--interface`: an address or a name; null: the best there is. */
  interfaceNamed: string | null;
  group: Group;
  /** The group was given by hand: part of the subnet's identity. */
  groupIsNamed: boolean;
  /** Of the group's socket, to ask the system for. */
  receiveBufferBytes: number;
  /** Names for `--target group:NAME`. */
  groups: readonly string[];
  /** Started as a representative: always volunteers. */
  volunteer: boolean;
  createRepresentative: RepresentativeFactory;
};

const endStates: ReadonlySet<DeviceTaskState> = new Set(["complete", "failed", "cancelled"]);

export class Agent {
  readonly #options: AgentOptions;
  readonly #metrics = new AgentMetrics();
  readonly #context: AgentContext;
  readonly #client: AgentClient;
  readonly #holdings: Offers;
  readonly #runners = new Map<number, TaskRunner>();
  readonly #reporter: ProgressReports;
  readonly #checkIns: CheckIns;
  readonly #network: Roaming;
  #identity: Identity;
  #values: SettingValues = defaultSettingValues;
  #statusServer: StatusServer | null = null;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#identity = options.identity;
    const { log, cache, identity, dataFolder, volunteer } = options;
    const onError = (error: unknown): void => log.error({ error: String(error) }, "network error");
    this.#client = createAgentClient({
      sourceUrl: identity.sourceUrl,
      credential: identity.credential,
      ca: identity.tlsPin,
    });
    const lan = new LanSessions({
      deployment: identity.deployment,
      receiveBufferBytes: options.receiveBufferBytes,
      onAdvice: (advice) => log.warn(advice),
      onError,
    });
    this.#context = {
      device: identity.deviceId,
      log,
      cache,
      client: this.#client,
      lan,
      exchange: new ExchangeServer({ interfaceAddress: "127.0.0.1", device: identity.deviceId, onError }),
      metrics: this.#metrics,
      runCommand,
      memory: new GcTrigger(() => performance.now()),
      interfaceAddress: "127.0.0.1",
      medium: () => this.#network.current?.medium ?? null,
      subnetId: null,
      publisherKeys: identity.publisherKeys.map((key) => Buffer.from(key, "base64")),
      createRepresentative: options.createRepresentative,
      rank: createRanker({ medium: () => this.#network.current?.medium ?? null, dataFolder, volunteer }),
      nowMs: () => performance.now(),
      random: Math.random,
    };
    this.#holdings = new Offers(this.#context, (packageId, error) => {
      for (const { store, session } of this.#runners.values())
        if (store?.id === packageId) session?.packageSpoiled(error);
    });
    this.#reporter = new ProgressReports({
      send: (reports) => this.#client.progress(reports),
      read: (taskId) => this.#runners.get(taskId)?.progress() ?? null,
      intervalMs: () => this.#reportIntervalMs(),
      // The task may have ended after its report was written.
      onSent: (reports) =>
        this.#reported(reports.filter(({ state }) => endStates.has(state)).map((report) => report.taskId)),
    });
    this.#checkIns = new CheckIns({
      client: this.#client,
      log,
      intervalMs: () => this.#values.checkInIntervalMs,
      inventory: () => this.#inventory(),
      onAnswer: (answer) => this.#answered(answer),
      random: this.#context.random,
    });
    this.#network = this.#createNetwork();
    gaugesOf(this.#metrics, this.#context, () => this.#runners.values());
  }

  #createNetwork(): Roaming {
    return new Roaming({
      context: this.#context,
      named: this.#options.interfaceNamed,
      group: this.#options.group,
      sourceUrl: this.#identity.sourceUrl,
      log: this.#options.log,
      moving: {
        isBusy: () => [...this.#runners.values()].some(takesPart),
        leave: (reason) => this.#leaveSubnet(reason),
        onMoved: () => this.#checkIns.hurry(),
        onChanged: () => this.#metrics.interfaceChanged(),
      },
    });
  }

  async start(): Promise<void> {
    const { log, group, dataFolder } = this.#options;
    mkdirSync(join(dataFolder, "tasks"), { recursive: true });
    await this.#network.start();
    const { current, why } = this.#network;
    this.#statusServer = new StatusServer({
      dataFolder,
      status: () => this.status(),
      metrics: this.#metrics,
    });
    log.info(
      {
        deviceId: this.#identity.deviceId,
        source: this.#identity.sourceUrl,
        interface: current && `${current.name} ${current.address}`,
        medium: current?.medium,
        why,
        group: formatGroup(group),
        receiveBufferBytes: this.#context.lan.bus?.receiveBufferBytes,
        status: `${this.#statusServer.url}/status`,
        version,
      },
      "agent runs",
    );
    await this.#resume();
    this.#checkIns.start();
  }

  /** Ends within seconds: sessions resign, what is verified is written down, the source hears the last word. */
  async stop(): Promise<void> {
    this.#network.close();
    this.#checkIns.stop();
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop("shutdown")));
    await Promise.race([this.#reporter.flush(), Bun.sleep(1_500)]);
    this.#reporter.close();
    this.#holdings.close();
    await this.#context.exchange.close();
    await this.#statusServer?.close();
    this.#context.lan.close();
    await this.#options.cache.close();
  }

  status(): AgentStatus {
    const { lan, exchange } = this.#context;
    const { current, why, multicastProblem } = this.#network;
    return {
      version,
      pid: process.pid,
      deviceId: this.#identity.deviceId,
      hostname: os.hostname(),
      source: this.#identity.sourceUrl,
      connected: this.#checkIns.isConnected,
      subnetId: this.#context.subnetId,
      interface: current && { name: current.name, address: current.address, medium: current.medium },
      interfaceWhy: why,
      group: formatGroup(this.#options.group),
      multicastProblem,
      receiveBufferBytes: lan.bus?.receiveBufferBytes ?? 0,
      lan: {
        framesHeard: lan.framesHeard,
        framesSent: lan.framesSent,
        kernelDrops: lan.kernelDrops,
        dropped: Object.fromEntries(lan.dropped),
      },
      exchange: {
        port: exchange.port,
        chunksSent: exchange.counters.chunksSent,
        bytesSent: exchange.counters.bytesSent,
      },
      tasks: [...this.#runners.values()].map((runner) =>
        Object.assign(runner.progress(), {
          package: `${runner.row.task.packageName} ${runner.row.task.packageVersion}`,
        }),
      ),
    };
  }

  /** Takes up what the ledger knows: open tasks go on, cached packages are offered to the subnet. */
  async #resume(): Promise<void> {
    const { cache, log } = this.#options;
    for (const { taskId, state } of cache.ledger.tasks()) {
      const row = parseTaskRow(state);
      if (!row) {
        log.warn({ taskId }, "a task in the ledger cannot be read: it is dropped, the source sends it again");
        cache.ledger.deleteTask(taskId);
        continue;
      }
      const runner = new TaskRunner({ ...this.#runnerOptions(taskId), row });
      this.#runners.set(taskId, runner);
      const store = await cache.find(row.task.packageId);
      if (store) this.#holdings.offer(store, Buffer.from(row.task.packageKey, "base64"));
      if (runner.stage === "ended" && !row.reported) this.#touch(taskId);
      runner.start();
    }
  }

  #runnerOptions(taskId: number) {
    return {
      context: this.#context,
      holdings: this.#holdings,
      outputFolder: join(this.#options.dataFolder, "tasks"),
      onChange: () => this.#touch(taskId),
      fetchedBy: (packageId: string) => {
        const others = [...this.#runners.values()].filter((runner) => runner.id !== taskId);
        return others.find(({ stage, store }) => stage === "session" && store?.id === packageId)?.id ?? null;
      },
      onPackageComplete: (packageId: string) => {
        for (const runner of this.#runners.values()) runner.packageCompleted(packageId);
      },
    };
  }

  #touch(taskId: number): void {
    const runner = this.#runners.get(taskId);
    if (runner) this.#reporter.touch(taskId, `${stateOf(runner)} ${runner.session?.member.role ?? ""}`);
  }

  #reported(taskIds: number[]): void {
    for (const id of taskIds) {
      const runner = this.#runners.get(id);
      if (!runner || runner.stage !== "ended" || runner.row.reported) continue;
      runner.row.reported = true;
      runner.trySave();
    }
  }

  #reportIntervalMs(): number {
    const active = [...this.#runners.values()].filter((runner) => !runner.isOver);
    const intervalMs = Math.min(
      this.#values.reportIntervalMs,
      ...active.map((runner) => runner.row.task.setting.values.reportIntervalMs),
    );
    const peers = active.map(({ session }) => session?.member.fellowPeers ?? 0);
    return sharedIntervalMs(intervalMs, Math.max(0, ...peers));
  }

  async #inventory() {
    const { group, groupIsNamed, groups, dataFolder, cache } = this.#options;
    const { interfaces, current } = this.#network;
    const cacheBytes = cache.list().reduce((sum, held) => sum + held.bytesVerified, 0);
    const groupName = groupIsNamed ? formatGroup(group) : "";
    return readInventory({ interfaces, active: current, group: groupName, groups, dataFolder, cacheBytes });
  }

  #leaveSubnet(reason: string): () => void {
    // The stream is opened anew: that it broke is no news.
    this.#checkIns.isConnected = false;
    const left = [...this.#runners.values()].filter((runner) => runner.leaveSubnet(reason));
    return () => {
      for (const runner of left) runner.start();
    };
  }

  #answered(answer: CheckInResponse): void {
    const { cache } = this.#options;
    this.#context.subnetId = answer.subnetId;
    this.#values = answer.defaultSetting.values;
    cache.setLimits({ maxBytes: this.#values.cacheMaxBytes, maxAgeMs: this.#values.cacheMaxAgeMs });
    void cache.evict().catch(this.#log);
    this.#trust(answer.publisherKeys);
    const named = new Set(answer.tasks.map((task) => task.id));
    for (const runner of this.#runners.values()) {
      if (!named.has(runner.id) && runner.stage !== "ended") void runner.stop("cancelled").catch(this.#log);
    }
    for (const task of answer.tasks) this.#take(task);
  }

  readonly #log = (error: unknown): void => this.#options.log.error({ error: String(error) }, "task");

  #take(task: AgentTask): void {
    const known = this.#runners.get(task.id);
    if (known) {
      // The source has not heard how it ended.
      if (known.stage === "ended") this.#touch(task.id);
      else known.update(task);
      return;
    }
    const runner = new TaskRunner({ ...this.#runnerOptions(task.id), row: newTaskRow(task) });
    this.#runners.set(task.id, runner);
    this.#options.log.info(
      { taskId: task.id, package: `${task.packageName} ${task.packageVersion}`, action: task.action },
      "new task",
    );
    runner.trySave();
    runner.start();
  }

  /** The first publisher's key is pinned; another one is never taken from the source's word alone. */
  #trust(keys: readonly string[]): void {
    const { publisherKeys } = this.#identity;
    if (publisherKeys.length > 0) {
      const unknown = keys.filter((key) => !publisherKeys.includes(key));
      if (unknown.length > 0)
        this.#options.log.warn(
          { unknown },
          "the source names a publisher's key that was not pinned: it is not trusted",
        );
      return;
    }
    if (keys.length === 0) return;
    this.#identity = { ...this.#identity, publisherKeys: [...keys] };
    this.#options.cache.ledger.saveIdentity(this.#identity);
    this.#context.publisherKeys = keys.map((key) => Buffer.from(key, "base64"));
    this.#options.log.info({ keys }, "publisher's key pinned");
  }
}
