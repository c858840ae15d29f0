/**
 * Cleanup of a script: removes what the script made, in reverse order, after success, an error or a
 * signal. A second Ctrl-C does not abort the cleanup. Each step has to bound its own time.
 */

export type Cleanup = {
  /** Registers a step. Every step runs once, the last registered first. @param what "remove …" */
  readonly add: (what: string, step: () => Promise<void> | void) => void;
  /** Aborts on SIGINT, SIGTERM and SIGHUP; the reason is the name of the signal. */
  readonly interrupted: AbortSignal;
  /** Resolves on a signal, which then is the regular end: the status of the work still counts. */
  readonly untilInterrupted: () => Promise<void>;
};

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type InterruptingSignal = keyof typeof signalNumbers;

/** An error that the person at the command line can correct. Printed without a stack. */
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

/**
 * Runs `work`, then the steps, then exits the process. The exit status is the result of `work`, 1
 * when it threw or a step failed, or 128 + n after signal n.
 */
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
      console.error(`\nInterrupted (${signal}): cleaning up …`);
      status = 128 + signalNumbers[signal];
    }
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : error);
  }
  if (!(await runSteps(steps))) status ||= 1;
  process.exit(status);
}
