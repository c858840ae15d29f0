/** Test data: random valid control frames of every type, for fast-check. */
import * as fc from "fast-check";
import type { ControlFrame } from "./frames.ts";
import { limits } from "./limits.ts";

const device = fc.stringMatching(/^[0-9a-f]{16}$/);
const counter = fc.oneof(fc.nat(200), fc.integer({ min: 0, max: limits.counterMax }));
const port = fc.nat(limits.portMax);

/** Ascending ranges: random gaps and counts, accumulated and cut where 32 bits end. */
const ranges = fc.array(fc.tuple(counter, counter), { maxLength: limits.rangesMax }).map((pairs) => {
  const flat: number[] = [];
  let end = 0;
  for (const [gap, extra] of pairs) {
    const first = end + gap;
    const count = extra + 1;
    if (count > limits.counterMax || first + count > limits.counterMax + 1) break;
    flat.push(first, count);
    end = first + count;
  }
  return flat;
});

const needs = fc
  .uniqueArray(fc.tuple(counter, fc.nat(65_534), fc.integer({ min: 1, max: 64 })), {
    maxLength: limits.needsMax,
    selector: ([chunk, block]) => `${chunk}/${block}`,
  })
  .map((entries) => entries.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]).flat());

const reason = fc
  .string({ unit: "grapheme", maxLength: 60 })
  .filter((text) => Buffer.byteLength(text) <= limits.reasonMaxBytes && !/\p{Cc}/u.test(text));

const symbolSize = fc.integer({ min: limits.symbolMinBytes, max: limits.symbolMaxBytes });

export const anyControlFrame: fc.Arbitrary<ControlFrame> = fc.oneof(
  fc.record({
    type: fc.constant("seek" as const),
    device,
    haveCount: counter,
    missing: ranges,
    lanPort: port,
    term: counter,
    symbolMaxBytes: symbolSize,
  }),
  fc.record({
    type: fc.constant("claim" as const),
    device,
    term: counter,
    ticket: counter,
    lanPort: port,
    haveCount: counter,
  }),
  fc.record({
    type: fc.constant("announce" as const),
    device,
    term: counter,
    ticket: counter,
    phase: fc.nat(2),
    startsInMs: fc.nat(limits.startsInMaxMs),
    frontCount: counter,
    castCount: counter,
    pass: counter,
    audience: counter,
    symbolSizeBytes: symbolSize,
    rateBps: fc.integer({ min: 0, max: limits.rateMaxBps }),
    lanPort: port,
  }),
  fc.record({
    type: fc.constant("end" as const),
    device,
    term: counter,
    pass: counter,
    castRanges: ranges,
    symbolsSent: counter,
    sentAtMs: counter,
  }),
  fc.record({
    type: fc.constant("report" as const),
    device,
    term: counter,
    pass: counter,
    lossPermille: fc.nat(1_000),
    queuedMs: fc.nat(limits.queuedMaxMs),
  }),
  fc.record({
    type: fc.constant("need" as const),
    device,
    term: counter,
    pass: counter,
    entries: needs,
    lanPort: port,
    symbolSizeBytes: symbolSize,
  }),
  fc.record({ type: fc.constant("want" as const), device, ranges, lanPort: port }),
  fc.record({ type: fc.constant("entrust" as const), device, term: counter, toDevice: device, ranges }),
  fc.record({
    type: fc.constant("have" as const),
    device,
    ranges,
    load: fc.nat(limits.loadMax),
    lanPort: port,
    toDevice: device,
  }),
  fc.record({ type: fc.constant("ask" as const), device, term: counter, toDevice: device }),
  fc.record({ type: fc.constant("resign" as const), device, term: counter, reason }),
);
