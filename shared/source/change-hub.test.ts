import { afterEach, expect, test } from "bun:test";
import { ChangeHub } from "./change-hub.ts";

const hubs: ChangeHub[] = [];
afterEach(() => hubs.splice(0).forEach((hub) => hub.close()));

/** Opens the stream of a device; returns a function that reads its next event. */
function connect(hub: ChangeHub, device: string): () => Promise<string> {
  const reader = hub.open(device).getReader();
  return async () => new TextDecoder().decode((await reader.read()).value);
}

const newHub = (enrolled: number): ChangeHub => {
  const hub = new ChangeHub(enrolled);
  hubs.push(hub);
  return hub;
};

test("names the time over which all enrolled devices reconnect after a restart", async () => {
  const next = connect(newHub(100_000), "a");
  expect(await next()).toBe('event: hello\ndata: {"spreadMs":400000}\n\n');
});

test("spreads connected devices so that at most 250 a second check in", async () => {
  const hub = newHub(0);
  const next = connect(hub, "a");
  await next();
  const devices = Array.from({ length: 1_000 }, (_, index) => (index === 7 ? "a" : String(index)));
  hub.notify(devices);
  expect(await next()).toBe('event: wake\ndata: {"spreadMs":4}\n\n');
  for (const device of devices) if (device !== "a") connect(hub, device);
  hub.notify(devices);
  expect(await next()).toBe('event: wake\ndata: {"spreadMs":4000}\n\n');
});

test("keeps the two newest streams of a device, and ends older ones", async () => {
  const hub = newHub(0);
  const readers = Array.from({ length: 400 }, () => hub.open("a").getReader());
  hub.notify(["a"]);
  /** Events that a stream has, and whether it ended. */
  const stateOf = async (reader: (typeof readers)[number]): Promise<string> => {
    await reader.read();
    const next = await reader.read();
    return next.done ? "ended" : new TextDecoder().decode(next.value).split("\n")[0]!;
  };
  const states = await Promise.all(readers.map(stateOf));
  expect(states.slice(0, -2).every((state) => state === "ended")).toBe(true);
  expect(states.slice(-2)).toEqual(["event: wake", "event: wake"]);
  expect(hub.connectedIds).toEqual(["a"]);
});
