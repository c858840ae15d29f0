import { expect, test } from "bun:test";
import type { LeaseResponse } from "../api/schema/agent.ts";
import { systemClock } from "../platform/system-clock.ts";
import { newTaskRow } from "./task-record.ts";
import { taskForTest } from "./testing.ts";
import { WanSpending } from "./wan-spending.ts";
import { LeaseRequests } from "./lease-requests.ts";
import type { DevicePorts } from "./ports.ts";

const places = { urls: [{ url: "https://web.example/a", layout: "file" as const }], atSource: false };
const granted: LeaseResponse = {
  result: "granted",
  term: 2,
  expiresInMs: 15_000,
  before: null,
  ...places,
  uselessBytesLeft: 100,
};
const holder = { deviceId: "00000000000000bb", address: "10.0.0.2", lanPort: 7_000, term: 1 };
const refused: LeaseResponse = { result: "refused", holder, retryAfterMs: 0 };

/** Returns requests to a source, and functions that answer them one by one. */
function requests() {
  const answers: ((answer: LeaseResponse | Error) => void)[] = [];
  const terms: number[] = [];
  const source = {
    lease: ({ term }: { term: number }) =>
      new Promise<LeaseResponse>((resolve, reject) => {
        terms.push(term);
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      }),
  };
  const ports = {
    source,
    clock: systemClock,
    place: { address: "10.0.0.1", subnetId: "s" },
    peers: { lanPort: 7_000, isNeighbour: (address: string) => address.startsWith("10.") },
    log: { info() {}, warn() {}, error() {} },
    disks: { onlyTask: null },
  } as unknown as DevicePorts;
  const spending = new WanSpending(newTaskRow(taskForTest()));
  const leases = new LeaseRequests(ports, taskForTest(), spending, () => true);
  return { leases, answers, terms, spending };
}

test("drops an answer that arrives after the answer of a later request", async () => {
  const { leases, answers } = requests();
  const first = leases.lease({ term: 1, query: false, starting: false });
  const second = leases.lease({ term: 2, query: false, starting: false });
  answers[1]!(granted);
  expect(await second).toMatchObject({ result: "granted", term: 2 });
  answers[0]!(refused);
  expect(await first).toBeNull();
});

test("keeps the web sites of the last grant, of the lease or of a fallback token", async () => {
  const { leases, answers, spending } = requests();
  expect(spending.places).toEqual({ urls: [], atSource: true });
  const asked = leases.lease({ term: 1, query: false, starting: false });
  answers[0]!(granted);
  await asked;
  expect(spending.places).toMatchObject(places);
  const again = leases.lease({ term: 1, query: false, starting: false });
  answers[1]!({ ...granted, urls: [], atSource: true });
  await again;
  expect(spending.places).toMatchObject({ urls: [], atSource: true });
});

test("returns an answer if the later request was not answered", async () => {
  const { leases, answers } = requests();
  const first = leases.lease({ term: 1, query: false, starting: false });
  const second = leases.lease({ term: 2, query: false, starting: false });
  answers[1]!(new Error("connection refused"));
  expect(await second).toEqual({ result: "unreachable" });
  answers[0]!(granted);
  expect(await first).toMatchObject({ result: "granted" });
});

/** Answers of the source that arrive while a request runs. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("asks with a lower term when the source names the highest one, and keeps to it", async () => {
  const { leases, answers, terms } = requests();
  const asked = leases.lease({ term: 500, query: false, starting: false });
  answers[0]!({ result: "term-too-high", termMax: 17 });
  await settled();
  answers[1]!({ ...granted, term: 17 });
  expect(await asked).toMatchObject({ result: "granted", term: 17 });
  const renewed = leases.lease({ term: 500, query: false, starting: false });
  answers[2]!({ ...granted, term: 17 });
  await renewed;
  // Once it is refused, the next candidacy has to ask for more than the new holder has.
  const lost = leases.lease({ term: 500, query: false, starting: false });
  answers[3]!(refused);
  await lost;
  const again = leases.lease({ term: 500, query: false, starting: false });
  answers[4]!(granted);
  await again;
  const successor = leases.lease({ term: 501, query: false, starting: false });
  answers[5]!(granted);
  await successor;
  expect(terms).toEqual([500, 17, 17, 17, 500, 501]);
});

test("ends with the local election when the source refuses every term", async () => {
  const { leases, answers } = requests();
  const asked = leases.lease({ term: 500, query: false, starting: false });
  for (let at = 0; at < 4; at++) {
    answers[at]!({ result: "term-too-high", termMax: 1 });
    await settled();
  }
  expect(await asked).toEqual({ result: "unreachable" });
});

test("asks no former holder outside the network", async () => {
  const { leases, answers } = requests();
  for (const address of ["10.0.0.2", "8.8.8.8"]) {
    const asked = leases.lease({ term: 1, query: false, starting: false });
    answers.at(-1)!({ ...granted, before: { ...holder, address } });
    const device = address === "8.8.8.8" ? null : { device: holder.deviceId, address, lanPort: 7_000 };
    expect(await asked).toMatchObject({ before: device });
  }
});
