/**
 * Event streams to the devices (server-sent events). A notification carries no data, only "check in
 * again", so a lost stream costs time and no data.
 */
/** Interval of heartbeats. A device treats its stream as lost after three missed ones. */
const heartbeatMs = 20_000;

type Stream = ReadableStreamDefaultController<Uint8Array>;
const encoder = new TextEncoder();
const wakeEvent = encoder.encode("event: wake\ndata: {}\n\n");
const helloEvent = encoder.encode("event: hello\ndata: {}\n\n");
const heartbeat = encoder.encode(": heartbeat\n\n");
/**
 * Upper bound on unread events of one stream. A device that does not read its stream is
 * disconnected.
 */
const unreadMax = 64;

export class ChangeHub {
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    this.#timer = setInterval(() => this.#sendAll(heartbeat), heartbeatMs);
    this.#timer.unref();
  }

  /** Returns the body of the event stream of one device. */
  open(deviceId: string): ReadableStream<Uint8Array> {
    let own: Stream;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller;
          const streams = this.#streams.get(deviceId) ?? new Set();
          this.#streams.set(deviceId, streams.add(controller));
          controller.enqueue(helloEvent);
        },
        cancel: () => this.#drop(deviceId, own),
      },
      { highWaterMark: unreadMax },
    );
  }

  isConnected(deviceId: string): boolean {
    return this.#streams.has(deviceId);
  }

  get connectedDevices(): number {
    return this.#streams.size;
  }

  /** Asks these devices to check in. */
  notify(deviceIds: Iterable<string>): void {
    for (const deviceId of deviceIds) {
      for (const stream of this.#streams.get(deviceId) ?? []) this.#send(deviceId, stream, wakeEvent);
    }
  }

  /** Asks every connected device to check in. */
  notifyAll(): void {
    this.#sendAll(wakeEvent);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const streams of this.#streams.values()) {
      for (const stream of streams) stream.close();
    }
    this.#streams.clear();
  }

  #sendAll(bytes: Uint8Array): void {
    for (const [deviceId, streams] of this.#streams) {
      for (const stream of streams) this.#send(deviceId, stream, bytes);
    }
  }

  #send(deviceId: string, stream: Stream, bytes: Uint8Array): void {
    if ((stream.desiredSize ?? 0) > 0) return stream.enqueue(bytes);
    this.#drop(deviceId, stream);
    stream.error(new Error("the device does not read its event stream"));
  }

  #drop(deviceId: string, stream: Stream): void {
    const streams = this.#streams.get(deviceId);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(deviceId);
  }
}
