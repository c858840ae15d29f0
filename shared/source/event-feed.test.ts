import { afterEach, beforeEach, expect, test } from "bun:test";
import * as v from "valibot";
import { changesSchema, helloSchema, type Change } from "../api/schema/events.ts";
import { openFixture, type Fixture } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

type Received = { readonly id: string; readonly event: string; readonly data: unknown };

/** Opens a stream; `next` returns its next event. */
async function follow(credential?: string, lastId?: string) {
  const headers = lastId === undefined ? {} : { "last-event-id": lastId };
  const response = await fixture.raw("GET", "/v1/events", {
    ...(credential === undefined ? {} : { credential }),
    headers,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async (): Promise<Received> => {
    const { value = "" } = await reader.read();
    const [, id, event, data] = /^id: (\S+)\nevent: (\w+)\ndata: (.*)\n\n$/.exec(value) ?? [];
    return { id: id!, event: event!, data: JSON.parse(data ?? "null") as unknown };
  };
  return { status: response.status, next, cancel: () => reader.cancel() };
}
const changesIn = ({ data }: Received): readonly Change[] => v.parse(changesSchema, data).changes;

const kinds = (changes: readonly Change[]) => changes.map(({ kind, id }) => `${kind} ${id}`).toSorted();

test("a stream names what an administrator changed, once for changes in a row", async () => {
  const { id } = await fixture.device("pc-1");
  const stream = await follow();
  expect(v.parse(helloSchema, (await stream.next()).data)).toEqual({ refresh: true });
  // Changes from before the stream are in its first event.
  await stream.next();
  for (const name of ["one", "two", "three"])
    await fixture.call("PATCH", `/v1/devices/${id}`, { json: { name } });
  await fixture.call("PUT", "/v1/groups/labs");
  const changes = changesIn(await stream.next());
  expect(changes).toContainEqual({ kind: "device", id });
  expect(changes).toContainEqual({ kind: "group", id: "labs" });
  expect(changes.filter(({ kind }) => kind === "device")).toHaveLength(1);
  await stream.cancel();
});

test("a stream continues after its last event, and tells to read all again after another run", async () => {
  const first = await follow();
  await first.next();
  await fixture.call("PUT", "/v1/groups/one");
  const { id } = await first.next();
  await first.cancel();
  const meanwhile = await follow();
  await meanwhile.next();
  await fixture.call("PUT", "/v1/groups/two");
  await meanwhile.next();
  const second = await follow(undefined, id);
  expect((await second.next()).data).toEqual({ refresh: false });
  expect(changesIn(await second.next())).toContainEqual({ kind: "group", id: "two" });
  const other = await follow(undefined, "0011223344556677.1");
  expect((await other.next()).data).toEqual({ refresh: true });
  for (const stream of [meanwhile, second, other]) await stream.cancel();
});

test("a viewer gets no changes of people, and a scope limits the devices that are named", async () => {
  const [inside, outside] = [await fixture.device("pc-1"), await fixture.device("pc-2")];
  await fixture.call("POST", "/v1/tags", { json: { devices: `device:${inside.id}`, add: ["labs"] } });
  const viewer = await fixture.token("viewer");
  const scoped = await fixture.token("viewer", { scope: ["labs"] });
  await Bun.sleep(600);
  const [all, some] = [await follow(viewer.text), await follow(scoped.text)];
  for (const stream of [all, some]) await stream.next();
  await fixture.token("viewer");
  for (const { id } of [inside, outside])
    await fixture.call("PATCH", `/v1/devices/${id}`, { json: { name: `named-${id}` } });
  const seen: Change[] = [];
  while (seen.length < 2) seen.push(...changesIn(await all.next()));
  expect(kinds(seen)).toEqual([`device ${inside.id}`, `device ${outside.id}`].toSorted());
  expect(kinds(changesIn(await some.next()))).toEqual([`device ${inside.id}`]);
  for (const stream of [all, some]) await stream.cancel();
});

test("a person has a bounded number of streams, and no device has one", async () => {
  const device = await fixture.device("pc-1");
  expect((await fixture.call("GET", "/v1/events", { credential: device.credential })).status).toBe(403);
  const streams = [];
  for (let index = 0; index < 8; index++) streams.push(await follow());
  expect((await fixture.call("GET", "/v1/events")).status).toBe(429);
  await streams[0]!.cancel();
  const another = await follow();
  expect(another.status).toBe(200);
  for (const stream of [another, ...streams.slice(1)]) await stream.cancel();
});
