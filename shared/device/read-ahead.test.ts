import { afterEach, expect, test } from "bun:test";
import { openRangeStream } from "../net/web/range-stream.ts";
import { ReadAhead } from "./read-ahead.ts";
import { cleanUp, site } from "./testing-download.ts";

afterEach(cleanUp);

test("requests end with the download, also those of files that it needs no more", async () => {
  const [begun, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { url } = await site((request, response) => {
    response.writeHead(200, { "content-length": "4" });
    if (request.url === "/b") return void response.end("abcd");
    response.on("close", closed.resolve);
    response.write("ab", () => begun.resolve());
  });
  const ahead = new ReadAhead({
    open: (location, signal) =>
      openRangeStream({
        location,
        headers: {},
        originFetch: undefined,
        validator: null,
        useRange: true,
        useIfRange: true,
        pastCaches: false,
        stallMs: 60_000,
        signal,
      }),
    onBytes: async () => {},
  });
  const files = ["a", "b"].map((name) => ({ url: `${url}/${name}`, start: 0, end: 4, sizeBytes: 4 }));
  ahead.request(files.slice(0, 1), 100);
  await begun.promise;
  ahead.request(files.slice(1), 100);
  expect((await ahead.take(files[1]!.url))?.hasRest).toBe(true);
  ahead.clear();
  await closed.promise;
});
