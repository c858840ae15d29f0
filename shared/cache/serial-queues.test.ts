import { expect, test } from "bun:test";
import { drainMicrotasks } from "bun:jsc";
import { SerialQueues } from "./serial-queues.ts";

/** Queues whose actions end when the test ends them, and a record of both and of the results. */
function recordedQueues() {
  const queues = new SerialQueues();
  const events: string[] = [];
  const endings = new Map<string, (error: Error | null) => void>();
  const run = (queue: number, name: string): void => {
    queues
      .run(queue, async () => {
        events.push(`begin ${name}`);
        await new Promise<void>((resolve, reject) => {
          endings.set(name, (error) => (error ? reject(error) : resolve()));
        });
        return name;
      })
      .then(
        (result) => events.push(`end ${result}`),
        (error: Error) => events.push(`fail ${error.message}`),
      );
  };
  /** Ends an action, with an error if one is given. */
  const end = (name: string, error: Error | null = null): void => {
    endings.get(name)!(error);
    drainMicrotasks();
  };
  return { queues, events, run, end };
}

test("actions of one queue run one after the other, and give their own results", () => {
  const { events, run, end } = recordedQueues();
  for (const name of ["a", "b", "c"]) run(1, name);
  drainMicrotasks();
  expect(events).toEqual(["begin a"]);
  for (const name of ["a", "b", "c"]) end(name);
  expect(events.toSorted()).toEqual(["begin a", "begin b", "begin c", "end a", "end b", "end c"]);
  expect(events.indexOf("end a")).toBeLessThan(events.indexOf("end b"));
});

test("actions of different queues run at the same time", () => {
  const { events, run, end } = recordedQueues();
  run(1, "a");
  run(2, "b");
  end("b");
  end("a");
  expect(events).toEqual(["begin a", "begin b", "end b", "end a"]);
});

test("an action runs after one that failed, whose caller alone gets the error", () => {
  const { events, run, end } = recordedQueues();
  run(1, "a");
  run(1, "b");
  drainMicrotasks();
  expect(events).toEqual(["begin a"]);
  end("a", new Error("of a"));
  end("b");
  expect(events.toSorted()).toEqual(["begin a", "begin b", "end b", "fail of a"]);
});

test("an action begins at once in a queue that became empty", () => {
  const { events, run, end } = recordedQueues();
  run(1, "a");
  end("a");
  run(1, "b");
  expect(events).toEqual(["begin a", "end a", "begin b"]);
});

test("idle resolves when the actions given before have ended, with or without errors", () => {
  const { queues, events, run, end } = recordedQueues();
  run(1, "a");
  run(1, "b");
  run(2, "c");
  void queues.idle().then(() => events.push("idle"));
  run(3, "given later");
  end("a", new Error("of a"));
  end("c");
  expect(events).not.toContain("idle");
  end("b");
  expect(events).toContain("idle");
});

test("idle resolves at once when no action was given", async () => {
  await new SerialQueues().idle();
});
