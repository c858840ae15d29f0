/**
 * The end of a script: what it made is taken away again, in reverse order, whether it succeeded, threw or was
 * interrupted. A second Ctrl-C does not stop the tidying; it is bounded by the limits of its own steps.
 */

export type Cleanup = {
  /** Registers a step; steps run once, the last registered first. */
  readonly add: (what: string, step: () => Promise<void> | void) => void;
  /** Aborted by Ctrl-C or a termination signal; its reason is the signal's name. */
  readonly interrupted: AbortSignal;
  /** Waits for Ctrl-C as the regular end: the work goes on after it and its status counts. */
  readonly untilInterrupted: () => Promise<void>;
};

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type InterruptingSignal = keyof typeof signalNumbers;

/** Thrown for what the person at the command line can mend: printed without a stack. */
export class UsageError extends Error {}

type Step = { readonly what: string; readonly step: () => Promise<void> | void };

async function runSteps(steps: readonly Step[]): Promise<boolean> {
  let clean = true;
  for (const { what, step } of steps.toReversed()) {
    try {
      await step();
    } catch (error) {
      console.error(`Cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
      clean = false;
    }
  }
  return clean;
}

/** Runs `work` and ends the process with what it answers, 1 when it threw, 128 + n after signal n. */
export async function runWithCleanup(work: (cleanup: Cleanup) => Promise<number>): Promise<void> {
  const steps: Step[] = [];
  const abort = new AbortController();
  let waiting = false;
  for (const signal of Object.keys(signalNumbers)) process.on(signal, () => abort.abort(signal));
  const aborted = new Promise<void>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const cleanup: Cleanup = {
    add: (what, step) => void steps.push({ what, step }),
    interrupted: abort.signal,
    untilInterrupted: () => {
      waiting = true;
      return aborted;
    },
  };
  let status = 1;
  try {
    const working = work(cleanup);
    const outcome = await Promise.race([working, aborted]);
    if (outcome !== undefined) status = outcome;
    else if (waiting) status = await working;
    else {
      const signal = abort.signal.reason as InterruptingSignal;
      console.error(`\nInterrupted (${signal}): tidying up …`);
      status = 128 + signalNumbers[signal];
    }
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : error);
  }
  if (!(await runSteps(steps))) status ||= 1;
  process.exit(status);
}
