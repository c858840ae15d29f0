/**
 * Event streams to people (server-sent events): the names of what changed, gathered for half a
 * second. A stream that was lost continues after its last event, or tells to read all again.
 */
import { changeKinds, type Change, type ChangeKind } from "../api/schema/events.ts";
import type { Catalog } from "./catalog/index.ts";

const gatherMs = 500;
const heartbeatMs = 20_000;
/** Names of one kind in one event; of more, the kind alone is told. */
const namesMax = 100;
/** Events that a stream can continue from. */
const keptEvents = 200;
/** Upper bounds on the open streams of one person, and of all. */
const streamsPerPersonMax = 8;
const streamsMax = 500;
/** Unread events after which a stream is closed: the browser opens another one. */
const unreadMax = 64;

type Controller = ReadableStreamDefaultController<Uint8Array>;
type Subscriber = {
  /** Person whose streams are counted together. */
  readonly person: string;
  /** Returns the changes that the person may see. */
  readonly visible: (changes: readonly Change[]) => Promise<readonly Change[]>;
  /** Whether the credential still allows the stream. */
  readonly isAllowed: () => Promise<boolean>;
};
type Event = { readonly number: number; readonly changes: readonly Change[] };
type Open = Subscriber & { readonly controller: Controller };

const encoder = new TextEncoder();
const heartbeat = encoder.encode(": heartbeat\n\n");

export class EventFeed {
  /** Name of this run of the source: numbers of another run mean nothing. */
  readonly #run: string;
  readonly #open = new Set<Open>();
  readonly #events: Event[] = [];
  readonly #heartbeat: ReturnType<typeof setInterval>;
  #gathered = new Map<ChangeKind, Set<string> | "many">();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #number = 0;
  /** Order of the events, which are filtered asynchronously. */
  #sent: Promise<void> = Promise.resolve();

  constructor(run: string) {
    this.#run = run;
    this.#heartbeat = setInterval(() => void this.#beat(), heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Notes a change. @param id null: of many */
  note(kind: ChangeKind, id: string | null): void {
    const names = this.#gathered.get(kind) ?? new Set<string>();
    if (id === null || names === "many" || names.size >= namesMax) this.#gathered.set(kind, "many");
    else this.#gathered.set(kind, names.add(id));
    this.#timer ??= setTimeout(() => this.#flush(), gatherMs).unref();
  }

  /**
   * Returns the body of a stream; null for a person with too many of them.
   * @param lastId id of the last event that the browser has got; null: none
   */
  open(subscriber: Subscriber, lastId: string | null): ReadableStream<Uint8Array> | null {
    const own = [...this.#open].filter(({ person }) => person === subscriber.person);
    if (own.length >= streamsPerPersonMax || this.#open.size >= streamsMax) return null;
    const missed = this.#since(lastId);
    let opened: Open;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          opened = { ...subscriber, controller };
          this.#open.add(opened);
          controller.enqueue(this.#textOf("hello", this.#number, { refresh: missed === null }));
          if (missed === null || missed.length === 0) return;
          const changes = new Map(missed.flatMap((one) => one.changes.map((each) => [nameOf(each), each])));
          this.#sendInOrder([opened], { number: this.#number, changes: [...changes.values()] });
        },
        cancel: () => {
          this.#open.delete(opened);
        },
      },
      { highWaterMark: unreadMax },
    );
  }

  get openStreams(): number {
    return this.#open.size;
  }

  close(): void {
    clearInterval(this.#heartbeat);
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const one of this.#open) this.#end(one);
  }

  /** Returns the events after an id; null where they are not known. */
  #since(lastId: string | null): readonly Event[] | null {
    const [run, text] = lastId?.split(".") ?? [];
    const number = Number(text);
    if (run !== this.#run || !Number.isSafeInteger(number) || number > this.#number) return null;
    const oldest = this.#events[0]?.number ?? this.#number + 1;
    return number < oldest - 1 ? null : this.#events.filter((one) => one.number > number);
  }

  #flush(): void {
    this.#timer = null;
    const changes = [...this.#gathered].flatMap(([kind, names]): Change[] =>
      names === "many" ? [{ kind, id: null }] : Array.from(names, (id) => ({ kind, id })),
    );
    this.#gathered = new Map();
    const event = { number: ++this.#number, changes };
    this.#events.push(event);
    if (this.#events.length > keptEvents) this.#events.shift();
    this.#sendInOrder([...this.#open], event);
  }

  #sendInOrder(to: readonly Open[], event: Event): void {
    this.#sent = this.#sent.then(async () => {
      for (const one of to) await this.#send(one, event);
    });
  }

  async #send(one: Open, { number, changes }: Event): Promise<void> {
    if (!this.#open.has(one)) return;
    try {
      const visible = await one.visible(changes);
      if (visible.length > 0) this.#put(one, this.#textOf("change", number, { changes: visible }));
    } catch {
      // The browser opens another stream, and reads all again.
      this.#end(one);
    }
  }

  async #beat(): Promise<void> {
    for (const one of this.#open) {
      const isAllowed = await one.isAllowed().catch(() => false);
      if (isAllowed) this.#put(one, heartbeat);
      else this.#end(one);
    }
  }

  #put(one: Open, bytes: Uint8Array): void {
    if (!this.#open.has(one)) return;
    if ((one.controller.desiredSize ?? 0) > 0) one.controller.enqueue(bytes);
    else this.#end(one);
  }

  #end(one: Open): void {
    if (this.#open.delete(one)) one.controller.close();
  }

  #textOf(event: "hello" | "change", number: number, data: unknown): Uint8Array {
    return encoder.encode(`id: ${this.#run}.${number}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

const nameOf = ({ kind, id }: Change): string => `${kind} ${id}`;

/** Opens the feed, which notes the rows of the audit: every change of a person has one. */
export function openEventFeed({ audit, epoch }: Pick<Catalog, "audit" | "epoch">): EventFeed {
  const events = new EventFeed(epoch);
  audit.onAppend((object) => {
    events.note("audit", null);
    const [, kind, id] = /^(\w+) (.+)$/.exec(object) ?? [];
    if (kind !== undefined && kind in changeKinds) events.note(kind as ChangeKind, id!);
    else if (object.includes(" devices: ")) events.note("device", null);
  });
  return events;
}
