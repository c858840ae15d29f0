/**
 * The end of a script: what it made is taken away again, in reverse order, whether it succeeded, threw or was
 * interrupted. A second Ctrl-C does not stop the tidying; it is bounded by the limits of its own steps.
 */

export type Ending = {
  /** Registers a step; steps run once, the last registered first. */
  readonly later: (what: string, step: () => Promise<void> | void) => void;
  /** Aborted by Ctrl-C or a termination signal; its reason is the signal's name. */
  readonly interrupted: AbortSignal;
};

const interruptingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Thrown for what the person at the command line can mend: printed without a stack. */
export class UsageError extends Error {}

/**
 * Runs `work` and sets the process's exit status: what `work` answers, 1 when it threw, 128 + n after signal n.
 */
export async function runWithEnding(work: (ending: Ending) => Promise<number>): Promise<void> {
  const steps: { what: string; step: () => Promise<void> | void }[] = [];
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => abort.abort(signal);
  for (const signal of interruptingSignals) process.on(signal, onSignal);
  const ending: Ending = {
    later: (what, step) => void steps.push({ what, step }),
    interrupted: abort.signal,
  };
  const interruption = new Promise<"interrupted">((resolve) => {
    abort.signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  let status = 1;
  try {
    const outcome = await Promise.race([work(ending), interruption]);
    if (outcome === "interrupted") {
      const signal = abort.signal.reason as keyof typeof signalNumbers;
      console.error(`\nInterrupted (${signal}): tidying up …`);
      status = 128 + signalNumbers[signal];
    } else status = outcome;
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : error);
  }
  for (const { what, step } of steps.toReversed()) {
    try {
      await step();
    } catch (error) {
      console.error(`Cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
      status ||= 1;
    }
  }
  process.exit(status);
}
