/**
 * Fuzz target of the API: bodies against their schemas, requests to the source's app, and answers
 * to the agent's client.
 */
import * as v from "valibot";
import { createAgentClient, type AgentClient } from "../../shared/api/agent-client.ts";
import { plainTransport } from "../../shared/api/testing-transport.ts";
import { openFixture, type Fixture, type TestDevice } from "../../shared/source/app-fixture.ts";
import { SourceError } from "../../shared/api/source-error.ts";
import { bodies, requests } from "./bodies.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { mutated, mutatedValue } from "./mutate.ts";
import { rawAnswer, openRawServer } from "./raw-http.ts";
import { promise, type Fuzzing, type Target } from "./target.ts";

const utf8 = new TextEncoder();

function body(random: SeededRandom): string {
  const [schema, valid] = random.pick(bodies);
  const parsed = v.safeParse(schema, mutatedValue(random, valid));
  if (!parsed.success) return "body refused";
  const again = v.safeParse(schema, parsed.output);
  promise(
    again.success && Bun.deepEquals(again.output, parsed.output),
    "a parsed body parses to the same value again",
  );
  return "body read";
}

async function request(fixture: Fixture, device: TestDevice, random: SeededRandom): Promise<string> {
  const [method, path, who, valid] = random.pick(requests);
  const text = utf8.encode(JSON.stringify(mutatedValue(random, valid)) ?? "null");
  const hostilePath = random.oneIn(8)
    ? `${path.slice(0, random.int(path.length))}${encodeURIComponent(random.hex(3))}`
    : path;
  const response = await fixture.raw(random.oneIn(30) ? "PATCH" : method, hostilePath, {
    credential:
      who === "nobody" || random.oneIn(30) ? null : who === "device" ? device.credential : fixture.adminToken,
    headers: {
      "content-type": random.oneIn(30) ? "text/plain" : "application/json",
      ...(random.oneIn(8)
        ? { range: random.pick(["bytes=0-", "bytes=5-1", "bytes=-0", "x=1", "bytes=9-99999999999999999999"]) }
        : {}),
    },
    ...(method === "GET" ? {} : { body: random.oneIn(3) ? mutated(random, text) : text }),
  });
  await response.arrayBuffer();
  promise(
    response.status < 500,
    `${method} ${path} is answered without a server error, not with ${response.status}`,
  );
  return `request: ${response.status}`;
}

async function answer(client: AgentClient, random: SeededRandom): Promise<string> {
  const lease = {
    taskId: 1,
    subnetId: "00000000000000bb",
    address: "10.0.0.5",
    lanPort: 1,
    term: 1,
    uselessBytes: 0,
  };
  try {
    await random.pick([
      () => client.lease(lease),
      () => client.manifest({ taskId: 1, subnetId: null, address: "10.0.0.5", lanPort: 1, attempt: 0 }),
      () => client.progress([]),
    ])();
    return "answer: read";
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return `answer: ${error.kind}`;
  }
}

async function openApi(): Promise<Fuzzing> {
  const fixture = await openFixture();
  const device = await fixture.device("h");
  let next: Uint8Array = new Uint8Array(0);
  const server = openRawServer(() => next);
  const client = createAgentClient({
    transport: plainTransport(`http://127.0.0.1:${server.port}`),
    credential: "c",
    timeoutMs: 300,
  });
  return {
    run: (random) => {
      if (random.oneIn(100)) return request(fixture, device, random);
      if (!random.oneIn(600)) return body(random);
      const text = utf8.encode(JSON.stringify(mutatedValue(random, random.pick(bodies)[1])) ?? "null");
      next = rawAnswer(random, random.oneIn(4) ? mutated(random, text) : text, { range: false });
      return answer(client, random);
    },
    close: async () => {
      server.close();
      await fixture.close();
    },
  };
}

export const api: Target = {
  name: "api",
  about: "bodies of the API, requests to the source, answers to the agent",
  share: 500,
  open: openApi,
};
