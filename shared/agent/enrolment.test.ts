/** An enrolled device that starts with another token: a real ledger, and a source that is away. */
import { afterEach, expect, test } from "bun:test";
import { formatPin, formatToken, readPin } from "../api/token.ts";
import { openCache, type Identity } from "../cache/index.ts";
import { cacheOptions } from "../cache/testing.ts";
import { createLogger } from "../log.ts";
import { temporaryFolder } from "../model/testing.ts";
import { identify } from "./enrolment.ts";

const sourceUrl = "http://127.0.0.1:9";
const sourceIdentity = "5".repeat(64);
const enrolled: Identity = {
  sourceUrl,
  deviceId: "aa".repeat(8),
  credential: "credential",
  deployment: 7,
  trustRoot: null,
  sourceIdentity,
  tlsSpki: null,
  announcedUrl: null,
  formerUrls: [],
};
const tokenOf = (root: string | null): string =>
  formatToken({ kind: "enrolment", secret: "s".repeat(43), identity: sourceIdentity, root });

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Starts a device whose ledger and token name these roots; returns the roots that it has then. */
async function rootsAfterStart(known: string | null, given: string | null) {
  const { path: dataFolder, remove } = temporaryFolder("enrolment");
  ends.push(remove);
  const cache = await openCache(cacheOptions(dataFolder));
  ends.push(() => cache.close());
  cache.ledger.saveIdentity({ ...enrolled, trustRoot: known });
  const { trustRoot } = await identify({
    dataFolder,
    cache,
    sourceUrl,
    token: tokenOf(given),
    isImaging: false,
    tokenProblem: null,
    allowsPlainHttp: false,
    log: createLogger("test"),
    signal: new AbortController().signal,
    random: () => 0,
  });
  expect(cache.ledger.identity()?.trustRoot).toBe(trustRoot);
  return trustRoot;
}

const identified = (token: string, isImaging: boolean) => {
  const { path: dataFolder, remove } = temporaryFolder("enrolment");
  ends.push(remove);
  return openCache(cacheOptions(dataFolder)).then((cache) => {
    ends.push(() => cache.close());
    const signal = AbortSignal.timeout(500);
    const parts = { dataFolder, cache, sourceUrl, tokenProblem: null, allowsPlainHttp: false };
    return identify({ ...parts, token, isImaging, log: createLogger("test"), signal, random: () => 0 });
  });
};

test("the identity of a source is no token, except for a machine that was started for an image", async () => {
  const pin = formatPin({ identity: sourceIdentity, root: null });
  expect(readPin(pin)).toEqual({ identity: sourceIdentity, root: null });
  expect(identified(pin, false)).rejects.toThrow("is the identity of a source, which has no secret: copy");
  // The source is away: the machine tries until it is stopped.
  expect(identified(pin, true)).rejects.toThrow("stopped before the device was enrolled");
});

const [one, two] = ["1".repeat(64), "2".repeat(64)];

test.each<[what: string, known: string | null, given: string | null, after: string | null]>([
  ["without roots takes those of the token", null, one, one],
  ["with roots keeps them", one, two, one],
  ["with roots keeps them at a token without any", one, null, one],
])("an enrolled device %s", async (_, known, given, after) => {
  expect(await rootsAfterStart(known, given)).toBe(after);
});
