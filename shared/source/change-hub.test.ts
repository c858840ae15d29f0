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
