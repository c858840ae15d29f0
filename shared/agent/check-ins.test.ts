import { expect, test } from "bun:test";
import type { AgentClient, CheckInAnswer, Wake } from "../api/agent-client.ts";
import type { Inventory } from "../api/schema/common.ts";
import { SourceError } from "../api/source-error.ts";
import { createLogger } from "../log.ts";
import { CheckIns } from "./check-ins.ts";

const dayMs = 86_400_000;
/** Check-ins of an agent, whose source answers as `client` does. */
const checkInsOf = (
  client: Pick<AgentClient, "checkIn" | "events">,
  { intervalMs = dayMs, random = Math.random } = {},
): CheckIns =>
  new CheckIns({
    client: client as AgentClient,
    log: createLogger("test"),
    intervalMs: () => intervalMs,
    inventory: async () => ({}) as Inventory,
    stated: () => ({}),
    serving: () => [],
    trust: () => ({ version: 0, assignments: 0 }),
    lanPort: () => 0,
    onFailure: () => {},
    onAnswer: () => {},
    random,
  });

test("asks only once at the start when the interval exceeds the longest timer", async () => {
  let asked = 0;
  const client = {
    checkIn: async () => {
      asked++;
      return {} as CheckInAnswer;
    },
    events: async () => {},
  };
  const checkIns = checkInsOf(client, { intervalMs: 30 * dayMs });
  checkIns.start();
  await Bun.sleep(200);
  checkIns.stop();
  expect(asked).toBe(1);
});

/** A running agent's check-ins whose random numbers are `draws`, and the function that wakes it. */
function wokenBy(draws: number[], answered: Promise<void> = Promise.resolve()) {
  let asked = 0;
  let wake: ((wake: Wake) => void) | null = null;
  const client = {
    checkIn: async () => {
      asked++;
      await answered;
      return {} as CheckInAnswer;
    },
    events: async (_signal: AbortSignal, onWake: (wake: Wake) => void) => void (wake = onWake),
  };
  const checkIns = checkInsOf(client, { random: () => draws.shift() ?? 0.5 });
  checkIns.start();
  return { asked: () => asked, wake: (spreadMs: number) => wake!({ reason: "changed", spreadMs }), checkIns };
}

test("spreads a check-in over the time that the source names, and later events do not delay it", async () => {
  const { asked, wake, checkIns } = wokenBy([0.5, 0.999, 0.001, 0.9]);
  await Bun.sleep(20);
  wake(600_000);
  await Bun.sleep(100);
  expect(asked()).toBe(1);
  // Draws 0.6 ms.
  wake(600);
  wake(600_000);
  await Bun.sleep(200);
  checkIns.stop();
  expect(asked()).toBe(2);
});

test("checks in again for an event that arrives during a check-in", async () => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const { asked, wake, checkIns } = wokenBy([0.5], answered);
  await Bun.sleep(20);
  wake(100);
  answer();
  await Bun.sleep(200);
  checkIns.stop();
  expect(asked()).toBe(2);
});

test("states that the source does not know the device, until a check-in is answered", async () => {
  const unknown = new SourceError("unauthorized", 401, "Unknown credential (devices: enrol again)");
  const answers: (SourceError | null)[] = [new SourceError("unreachable", null, "no answer"), unknown, null];
  const checkIns = checkInsOf({
    checkIn: async () => {
      const error = answers.shift();
      if (error) throw error;
      return {} as CheckInAnswer;
    },
    events: async () => {},
  });
  const texts: string[] = [];
  checkIns.start();
  for (let asked = 0; asked < 3; asked++) {
    while (answers.length > 2 - asked) await Bun.sleep(5);
    // The answer is handled in the same turn of the event loop.
    await Bun.sleep(0);
    texts.push(checkIns.contact.lost?.text ?? "");
    checkIns.hurry();
  }
  checkIns.stop();
  const text = expect.stringMatching(/does not know this device.*--enroll-file FILE/);
  expect(texts).toEqual(["no answer", text, ""]);
});
