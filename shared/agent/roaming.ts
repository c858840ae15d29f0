/**
 * Moves a running agent from one network interface to another.
 *
 * A move ends the sessions on the old interface, which sends their resignations and releases their
 * leases. The agent then opens LAN bus and exchange on the new interface, checks in at the source
 * and restarts the sessions with all verified chunks. `net/interfaces/watch.ts` decides when to
 * move.
 */
import os from "node:os";
import type { Logger } from "../log.ts";
import { dropPooledConnections } from "../net/web/connection-pool.ts";
import { nameOf } from "../net/interfaces/choice.ts";
import { type NetInterface } from "../model/interface.ts";
import { unbracketed } from "../model/unbracketed.ts";
import { InterfaceWatch, type InterfaceChange } from "../net/interfaces/watch.ts";
import { GatewayMacs } from "../net/interfaces/gateway.ts";
import { addressTowards, listInterfaces } from "../net/interfaces/list.ts";
import { platform } from "../platform/index.ts";
import { LanBusError } from "../net/lan/lan-bus.ts";
import { formatGroup, type Group } from "../net/lan/multicast-group.ts";
import type { Place } from "../device/ports.ts";
import type { AgentClient } from "../api/agent-client.ts";
import type { ExchangeServer } from "../net/exchange/server.ts";
import type { LanGroup } from "./lan-group.ts";

const lookEveryMs = 2_000;
/**
 * Interval at which the route to the source is looked up, because it can change while no interface
 * does. A look-up may query a name server.
 */
const routeEveryMs = 30_000;
/** Upper bound on the first look-up, so that a silent name server does not delay the start. */
const routeWaitMs = 2_000;
/** Attempts to join the group per interface; the system may not have set the interface up yet. */
const joinAttemptsMax = 5;
/** Address of the exchange while no interface is active; no other device reaches it. */
const loopbackAddress = "127.0.0.1";

/** Parts of a move that the agent carries out. */
type RoamingHooks = {
  /** Whether a session is running that a move to a better interface should not interrupt. */
  isBusy: () => boolean;
  /** Ends the sessions; the returned function restarts them. */
  leave: (reason: string) => () => void;
  /** Called after a move, when the source does not know the new interface yet. */
  onMoved: () => void;
  /** Called at the start of a move, also if it reopens the same interface. */
  onChanged: () => void;
};

type RoamingOptions = {
  lanGroup: LanGroup;
  exchange: ExchangeServer;
  client: AgentClient;
  place: Place;
  /** `--interface`: an address or a name; null selects automatically. */
  named: string | null;
  group: Group;
  moving: RoamingHooks;
  log: Logger;
};

export class Roaming {
  /** Why the device does not use multicast; empty after the group was joined. */
  multicastProblem = "";
  /** All interfaces at the last look. */
  interfaces: readonly NetInterface[] = [];
  readonly #options: RoamingOptions;
  readonly #watch: InterfaceWatch;
  readonly #route: Route;
  readonly #gateways = new GatewayMacs();
  #joinAttempts = 0;
  /** As it was logged last. */
  #portProblem = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  #state: "open" | "closed" = "open";

  constructor(options: RoamingOptions) {
    this.#options = options;
    this.#watch = new InterfaceWatch(options.named);
    this.#route = new Route(() => options.client.sourceUrl);
  }

  /** The active interface; null while the device works without the LAN. */
  get current(): NetInterface | null {
    return this.#watch.current;
  }

  /** Why `current` is not the best interface, or why it is null; empty if it is the best. */
  get why(): string {
    return this.#watch.why;
  }

  /** MAC of the active interface's gateway; null if it is not known. */
  async gatewayMac(): Promise<string | null> {
    return this.current && this.#gateways.of(this.current);
  }

  /** Selects an interface and starts to watch for changes. */
  async start(): Promise<void> {
    await Promise.race([this.#route.ask(), Bun.sleep(routeWaitMs)]);
    const change = await this.#look();
    if (change) await this.#settle(change);
    else this.#options.log.warn({ reason: this.why }, "works without the LAN");
    this.#scheduleLook();
  }

  close(): void {
    this.#state = "closed";
    if (this.#timer) clearTimeout(this.#timer);
  }

  #scheduleLook(): void {
    if (this.#state === "closed") return;
    this.#timer = setTimeout(() => {
      this.#lookAndMove()
        .catch((error: unknown) => this.#options.log.error({ error: String(error) }, "network"))
        .finally(() => this.#scheduleLook());
    }, lookEveryMs);
  }

  async #lookAndMove(): Promise<void> {
    this.#route.refresh();
    const change = await this.#look();
    if (change) return this.#move(change);
    const { lanGroup } = this.#options;
    if (platform.watchesMtu) await lanGroup.bus?.refreshMtu();
    if (this.current && !lanGroup.bus && this.#joinAttempts < joinAttemptsMax) await this.#join(this.current);
  }

  async #look(): Promise<InterfaceChange | null> {
    const before = addressesOf(this.interfaces);
    this.interfaces = await listInterfaces();
    if (addressesOf(this.interfaces) !== before) this.#route.changed();
    const change = this.#watch.look({
      interfaces: this.interfaces,
      towardsSource: this.#route.address,
      isBusy: this.#options.moving.isBusy(),
      nowMs: performance.now(),
      uptimeMs: os.uptime() * 1_000,
    });
    if (!this.current) this.multicastProblem = this.why;
    return change;
  }

  async #move(change: InterfaceChange): Promise<void> {
    const { client, moving, log } = this.#options;
    const { from, to, cause } = change;
    this.#options.moving.onChanged();
    const reason = to ? `moves to ${nameOf(to)}: ${cause}` : `leaves the LAN: ${cause}`;
    dropPooledConnections();
    client.renew(new Error(reason));
    const resume = moving.leave(reason);
    try {
      await this.#settle(change);
    } finally {
      moving.onMoved();
      resume();
    }
    log[to ? "info" : "warn"](
      {
        from: from && { name: from.name, address: from.address },
        to: to && { name: to.name, address: to.address, medium: to.medium },
        cause,
        why: this.why,
      },
      to ? "network changed" : "works without the LAN",
    );
  }

  async #settle({ to }: InterfaceChange): Promise<void> {
    const { lanGroup, place } = this.#options;
    lanGroup.close();
    place.subnetId = null;
    place.address = to?.address ?? loopbackAddress;
    this.#gateways.forget();
    this.#joinAttempts = 0;
    this.multicastProblem = to ? "" : this.why;
    await this.#listen(place.address);
    if (!to || this.#state === "closed") return;
    await this.#join(to);
    await this.#gateways.of(to);
  }

  /** Falls back to loopback if the address has already gone; the next look notices the change. */
  async #listen(address: string): Promise<void> {
    const { exchange, log } = this.#options;
    try {
      await exchange.move(address);
    } catch (error) {
      log.warn({ address, error: String(error) }, "the LAN exchange cannot listen on this address");
      await exchange.move(loopbackAddress);
    }
    const { portProblem, lanPort } = exchange;
    if (portProblem !== "" && portProblem !== this.#portProblem)
      log.warn(
        { reason: portProblem, lanPort },
        "the LAN exchange uses another port: allow it in the firewall",
      );
    this.#portProblem = portProblem;
  }

  async #join({ address }: NetInterface): Promise<void> {
    const { lanGroup, group, log } = this.#options;
    this.#joinAttempts++;
    try {
      await lanGroup.open(address, group);
      this.multicastProblem = "";
    } catch (error) {
      if (!(error instanceof LanBusError)) throw error;
      if (this.multicastProblem !== error.message)
        log.warn({ reason: error.message, group: formatGroup(group) }, "works without multicast");
      this.multicastProblem = error.message;
    }
  }
}

const addressesOf = (list: readonly NetInterface[]): string => list.map(({ address }) => address).join();

/** The local address that the system uses towards the source, looked up in the background. */
class Route {
  address: string | null = null;
  readonly #sourceUrl: () => string;
  #asking: Promise<void> | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(sourceUrl: () => string) {
    this.#sourceUrl = sourceUrl;
  }

  ask(): Promise<void> {
    this.#askedAtMs = performance.now();
    const { hostname, port, protocol } = new URL(this.#sourceUrl());
    const host = unbracketed(hostname);
    this.#asking ??= addressTowards(host, Number(port || (protocol === "https:" ? 443 : 80)))
      .then((address) => void (this.address = address))
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }

  changed(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
  }

  refresh(): void {
    if (performance.now() - this.#askedAtMs >= routeEveryMs) void this.ask();
  }
}
