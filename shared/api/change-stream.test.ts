/** The change stream against a server on loopback that sends the events of a test. */
import { afterEach, expect, test } from "bun:test";
import { followChanges, type Wake } from "./change-stream.ts";
import { plainTransport } from "./testing-transport.ts";

let server: Bun.Server<undefined> | null = null;
afterEach(() => server?.stop(true));

/** Follows a stream of these events. Returns the wakes, and the delays of retries. */
async function follow(events: string, retries: number) {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(events, { headers: { "content-type": "text/event-stream" } }),
  });
  const ended = new AbortController();
  const wakes: Wake[] = [];
  const delays: number[] = [];
  const connection = { transport: plainTransport(server.url.origin), authorization: () => null };
  await followChanges(connection, ended.signal, {
    onWake: (wake) => wakes.push(wake),
    onLost: (_error, retryInMs) => {
      delays.push(retryInMs);
      if (delays.length === retries) ended.abort();
    },
    random: () => 0.25,
  });
  return { wakes, delays };
}

test("spreads the reconnection over the time that the source named", async () => {
  const { delays } = await follow('event: hello\ndata: {"spreadMs":400000}\n\n', 1);
  expect(delays).toEqual([100_000 + 750]);
});

test("hands on the time over which woken devices spread", async () => {
  const { wakes } = await follow('event: wake\ndata: {"spreadMs":4000}\n\n', 1);
  expect(wakes).toEqual([{ reason: "connected" }, { reason: "changed", spreadMs: 4_000 }]);
});

test("spreads over a quarter of an hour at most", async () => {
  const { delays } = await follow('event: hello\ndata: {"spreadMs":4000000}\n\n', 1);
  expect(delays).toEqual([225_000 + 750]);
});

test.each(["{}", "", "null", '{"spreadMs":-1}', '{"spreadMs":"4"}', "{"])(
  "wakes at once when the event's data is %p",
  async (data) => {
    const { wakes, delays } = await follow(
      `event: hello\ndata: ${data}\n\nevent: wake\ndata: ${data}\n\n`,
      1,
    );
    expect(wakes.at(-1)).toEqual({ reason: "changed", spreadMs: 0 });
    expect(delays).toEqual([750]);
  },
);
