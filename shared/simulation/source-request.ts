/** A request of a simulated machine to the source. */
import type { Context } from "./context.ts";
import type { Machine } from "./machine.ts";
import { requestTimeoutMs } from "./source.ts";

/** Sends a request. Rejects when the source does not answer, or with an error. */
export function requestTo<T>({ source, clock }: Context, machine: Machine, serve: () => T): Promise<T> {
  const { subnet } = machine;
  const delayMs = source.answerMs(subnet);
  return new Promise((resolve, reject) => {
    if (delayMs === null) {
      // A refused connection fails at once, a silent one after the client's time-out.
      const waitMs = machine.random.chance(0.7) ? 30 : requestTimeoutMs;
      return void machine.after(waitMs, () => reject(new Error("the source cannot be reached")));
    }
    let answer: { value: T } | null = null;
    clock.at(delayMs / 2, () => {
      // A request in flight reaches the source even when its sender has crashed.
      if (source.state !== "errors") answer = { value: serve() };
    });
    machine.after(delayMs, () => {
      if (answer && machine.subnet === subnet) resolve(answer.value);
      else reject(new Error("the source answered 500"));
    });
  });
}
