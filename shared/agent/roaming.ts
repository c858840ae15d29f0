/**
 * The device's place in the network while it changes: which interface the agent plays its roles on, and how it moves.
 *
 * Moving: sessions end on the old interface (resignation and release of the lease go out), bus and exchange open on the
 * new one, the source is told at once, and the sessions begin anew with every chunk that is verified. When to move is
 * decided in `shared/net/interfaces/watch.ts`.
 */
import type { Logger } from "../log.ts";
import { dropPooledConnections } from "../net/web/connection-pool.ts";
import { nameOf } from "../net/interfaces/choice.ts";
import { type NetInterface } from "../model/interface.ts";
import { InterfaceWatch, type InterfaceChange } from "../net/interfaces/watch.ts";
import { addressTowards, learnGateway, listInterfaces } from "../net/interfaces/list.ts";
import { LanBusError } from "../net/lan/lan-bus.ts";
import { formatGroup, type Group } from "../net/lan/multicast-group.ts";
import type { AgentContext } from "../device/context.ts";

const lookEveryMs = 2_000;
/** The route to the source changes without an interface that does; asking may ask a name server. */
const routeEveryMs = 30_000;
/** A name server that does not answer holds up no start. */
const routeWaitMs = 2_000;
/** A group that could not be joined is tried again so often: the system may not be done with the interface. */
const joinAttemptsMax = 5;
/** Nothing is offered to anybody there. */
const nowhere = "127.0.0.1";

/** What the agent does around a move. */
export type RoamingHooks = {
  /** A session is under way that a better interface should not interrupt. */
  isBusy: () => boolean;
  /** Ends the sessions; what it returns takes them up again. */
  leave: (reason: string) => () => void;
  /** The source does not know yet. */
  onMoved: () => void;
  /** Another interface is used, or the same one again after a loss of its link. */
  onChanged: () => void;
};

export type RoamingOptions = {
  context: AgentContext;
  /** `--interface` */
  named: string | null;
  group: Group;
  sourceUrl: string;
  moving: RoamingHooks;
  log: Logger;
};

export class Roaming {
  /** Why nothing is shared by multicast; empty when the group was joined. */
  multicastProblem = "";
  /** Every interface, as it was at the last look. */
  interfaces: readonly NetInterface[] = [];
  readonly #options: RoamingOptions;
  readonly #watch: InterfaceWatch;
  readonly #route: Route;
  #joinAttempts = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #state: "open" | "closed" = "open";

  constructor(options: RoamingOptions) {
    this.#options = options;
    this.#watch = new InterfaceWatch(options.named);
    this.#route = new Route(options.sourceUrl);
  }

  /** The interface of the roles; null: the device works without the LAN. */
  get current(): NetInterface | null {
    return this.#watch.current;
  }

  /** Why it is not another one; empty when it is the best. */
  get why(): string {
    return this.#watch.why;
  }

  /** Chooses for the first time, and follows from then on. */
  async start(): Promise<void> {
    await Promise.race([this.#route.ask(), Bun.sleep(routeWaitMs)]);
    const change = this.#look();
    if (change) await this.#settle(change);
    else this.#options.log.warn({ reason: this.why }, "works without the LAN");
    this.#later();
  }

  close(): void {
    this.#state = "closed";
    if (this.#timer) clearTimeout(this.#timer);
  }

  #later(): void {
    if (this.#state === "closed") return;
    this.#timer = setTimeout(() => {
      this.#follow()
        .catch((error: unknown) => this.#options.log.error({ error: String(error) }, "network"))
        .finally(() => this.#later());
    }, lookEveryMs);
  }

  async #follow(): Promise<void> {
    this.#route.refresh();
    const change = this.#look();
    if (change) return this.#move(change);
    const { lan } = this.#options.context;
    if (this.current && !lan.bus && this.#joinAttempts < joinAttemptsMax) await this.#join(this.current);
  }

  #look(): InterfaceChange | null {
    const before = addressesOf(this.interfaces);
    this.interfaces = listInterfaces();
    if (addressesOf(this.interfaces) !== before) this.#route.changed();
    const change = this.#watch.look({
      interfaces: this.interfaces,
      towardsSource: this.#route.address,
      isBusy: this.#options.moving.isBusy(),
      nowMs: performance.now(),
      wallMs: Date.now(),
    });
    if (!this.current) this.multicastProblem = this.why;
    return change;
  }

  async #move(change: InterfaceChange): Promise<void> {
    const { context, moving, log } = this.#options;
    const { from, to, cause } = change;
    this.#options.moving.onChanged();
    const reason = to ? `moves to ${nameOf(to)}: ${cause}` : `leaves the LAN: ${cause}`;
    dropPooledConnections();
    context.client.renew(new Error(reason));
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
    const { context } = this.#options;
    context.lan.close();
    context.subnetId = null;
    context.interfaceAddress = to?.address ?? nowhere;
    this.#joinAttempts = 0;
    this.multicastProblem = to ? "" : this.why;
    await this.#listen(context.interfaceAddress);
    if (!to || this.#state === "closed") return;
    await this.#join(to);
    await learnGateway(to);
  }

  /** The address may be gone again already: the next look tells. */
  async #listen(address: string): Promise<void> {
    const { context, log } = this.#options;
    try {
      await context.exchange.move(address);
    } catch (error) {
      log.warn({ address, error: String(error) }, "the LAN exchange cannot listen there");
      await context.exchange.move(nowhere);
    }
  }

  async #join({ address }: NetInterface): Promise<void> {
    const { context, group, log } = this.#options;
    this.#joinAttempts++;
    try {
      await context.lan.open(address, group);
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

/** The address that the system uses towards the source, asked for in the background. */
class Route {
  address: string | null = null;
  readonly #host: string;
  readonly #port: number;
  #asking: Promise<void> | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(sourceUrl: string) {
    const url = new URL(sourceUrl);
    this.#host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    this.#port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  }

  ask(): Promise<void> {
    this.#askedAtMs = performance.now();
    this.#asking ??= addressTowards(this.#host, this.#port)
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
