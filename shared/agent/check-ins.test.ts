import { expect, test } from "bun:test";
import type { AgentClient } from "../api/agent-client.ts";
import type { CheckInResponse } from "../api/schema/agent.ts";
import type { Inventory } from "../api/schema/common.ts";
import { createLogger } from "../log.ts";
import { CheckIns } from "./check-ins.ts";

test("asks only once at the start when the interval exceeds the longest timer", async () => {
  let asked = 0;
  const checkIns = new CheckIns({
    client: {
      checkIn: async () => {
        asked++;
        return {} as CheckInResponse;
      },
      events: async () => {},
    } as unknown as AgentClient,
    log: createLogger("test"),
    intervalMs: () => 30 * 86_400_000,
    inventory: async () => ({}) as Inventory,
    serving: () => [],
    onAnswer: () => {},
    random: Math.random,
  });
  checkIns.start();
  await Bun.sleep(200);
  checkIns.stop();
  expect(asked).toBe(1);
});
