/**
 * Rate control against networks that follow a rule: what they carry, and what they lose at any
 * rate.
 */
import { describe, expect, test } from "bun:test";
import { RateControl, rateFloorBps } from "./rate-control.ts";

const mbit = 1_000_000;

type Path = { carriesBps: number; baselineLoss: number };
/** Loss of a path at a rate, ‰. */
const lossOn = ({ carriesBps, baselineLoss }: Path, rateBps: number): number =>
  Math.round(1_000 * (1 - Math.min(1, carriesBps / rateBps) * (1 - baselineLoss)));

const nothing = { lossPermille: 0, queuedMs: 0 };

/** Rates after each window, one a second from second `first` on. */
const ratesAfter = (control: RateControl, reports: readonly (typeof nothing)[], first = 1): number[] =>
  reports.map((report, i) => {
    control.onReport("receiver", report, 10 * (i + first));
    control.adjust(200 * mbit, (i + first) * 1_000, 10 * (i + first));
    return control.rateBps(200 * mbit);
  });

/**
 * A TCP flow over the same bottleneck: fills the queue, takes off a third at a loss, and adds a
 * segment per round trip.
 */
class TcpFlow {
  #windowBits = 0;
  #ignoresLossUntilMs = 0;
  sentBits = 0;

  /** Returns the bits sent in this millisecond. */
  send(queuedMs: number): number {
    const bits = this.#windowBits / (1 + queuedMs);
    this.#windowBits += (1_448 * 8) / (1 + queuedMs);
    this.sentBits += bits;
    return bits;
  }

  lost(ms: number, queuedMs: number): void {
    if (ms < this.#ignoresLossUntilMs) return;
    this.#windowBits *= 0.7;
    this.#ignoresLossUntilMs = ms + 1 + queuedMs;
  }
}

/**
 * Simulates a bottleneck behind a queue: an END every 400 ms, and reports 100 ms after an END went
 * through. Symbols sent before a decrease are still lost after it. Returns the rate at every END.
 */
function runBehindQueue(
  capBps: number | null,
  carriesBps: number,
  queueMs: number,
  ends: number,
  flowAt: (ms: number) => TcpFlow | null = () => null,
): number[] {
  const control = new RateControl(capBps, 0);
  const rates: number[] = [];
  const reports: { atMs: number; loss: number; queuedMs: number; pass: number }[] = [];
  const room = (carriesBps * queueMs) / 1_000;
  let [queued, sent, lost, pass] = [0, 0, 0, 0];
  for (let ms = 1; ms <= ends * 400; ms++) {
    const bits = control.rateBps(capBps) / 1_000;
    const waitMs = (queued / carriesBps) * 1_000;
    const flow = flowAt(ms);
    const others = flow?.send(waitMs) ?? 0;
    queued = Math.max(0, queued - carriesBps / 1_000) + bits + others;
    sent += bits;
    if (queued > room) {
      flow?.lost(ms, waitMs);
      lost += ((queued - room) * bits) / (bits + others);
      queued = room;
    }
    if (ms % 400 === 0) {
      const queuedMs = Math.round((queued / carriesBps) * 1_000);
      reports.push({
        atMs: ms + queuedMs + 100,
        loss: Math.round((1_000 * lost) / sent),
        queuedMs,
        pass: ++pass,
      });
      rates.push(control.rateBps(capBps));
      [sent, lost] = [0, 0];
    }
    while (reports[0] && reports[0].atMs <= ms) {
      const { loss, queuedMs, pass: answered } = reports.shift()!;
      for (const receiver of ["a", "b", "c"])
        control.onReport(receiver, { lossPermille: loss, queuedMs }, answered);
    }
    control.adjust(capBps, ms, pass);
  }
  return rates;
}

/**
 * Runs a session over these paths, with one report of each in every window. Returns the rate after
 * every window.
 */
function run(control: RateControl, capBps: number | null, paths: readonly Path[], windows: number): number[] {
  const rates: number[] = [];
  for (let window = 1; window <= windows; window++) {
    for (const [i, path] of paths.entries())
      control.onReport(
        `receiver ${i}`,
        { lossPermille: lossOn(path, control.rateBps(capBps)), queuedMs: 0 },
        2 * window,
      );
    control.adjust(capBps, window * 1_000, 2 * window);
    rates.push(control.rateBps(capBps));
  }
  return rates;
}
/**
 * Runs a device that sends at most `sendsBps` to receivers that take at most `takesBps`. Returns
 * the rate after every window.
 */
function runBusy(sendsBps: number, takesBps: number, windows: number): number[] {
  const control = new RateControl(900 * mbit, 0);
  const rates: number[] = [];
  for (let window = 1; window <= windows; window++) {
    const sentBps = Math.min(sendsBps, control.rateBps(900 * mbit));
    const lossPermille = lossOn({ carriesBps: takesBps, baselineLoss: 0 }, sentBps);
    control.onEndSent(2 * window, sentBps);
    for (const receiver of ["a", "b", "c", "d"])
      control.onReport(receiver, { lossPermille, queuedMs: 0 }, 2 * window);
    control.adjust(900 * mbit, window * 1_000, 2 * window);
    rates.push(control.rateBps(900 * mbit));
  }
  return rates;
}

const alike = (path: Path): Path[] => Array.from({ length: 8 }, () => path);
const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe("the rate", () => {
  test("starts at the cap and stays there when nothing is lost", () => {
    const rates = run(
      new RateControl(200 * mbit, 0),
      200 * mbit,
      alike({ carriesBps: 1e9, baselineLoss: 0 }),
      20,
    );
    expect(new Set(rates)).toEqual(new Set([200 * mbit]));
  });

  test("finds what the path carries when there is no cap, and stays near it", () => {
    const rates = run(new RateControl(null, 0), null, alike({ carriesBps: 900 * mbit, baselineLoss: 0 }), 80);
    expect(mean(rates.slice(40))).toBeGreaterThan(700 * mbit);
    expect(Math.max(...rates.slice(40))).toBeLessThan(960 * mbit);
  });

  test("decreases at once to what the path carries", () => {
    const rates = run(
      new RateControl(900 * mbit, 0),
      900 * mbit,
      alike({ carriesBps: 90 * mbit, baselineLoss: 0 }),
      40,
    );
    expect(rates[0]!).toBeLessThan(95 * mbit);
    expect(mean(rates.slice(10))).toBeGreaterThan(70 * mbit);
  });

  describe("of a device that sends less than its rate", () => {
    test("decreases from the measured send rate", () => {
      const rates = runBusy(300 * mbit, 200 * mbit, 40);
      expect(rates[0]!).toBeLessThan(200 * mbit);
      expect(mean(rates)).toBeGreaterThan(170 * mbit);
      expect(Math.max(...rates)).toBeLessThan(240 * mbit);
    });

    test("does not grow", () => {
      expect(new Set(runBusy(300 * mbit, 900 * mbit, 20))).toEqual(new Set([900 * mbit]));
      const control = new RateControl(null, 0);
      for (let window = 1; window <= 40; window++) {
        control.onEndSent(2 * window, Math.min(control.rateBps(null), 300 * mbit));
        control.onReport("a", { lossPermille: 0, queuedMs: 0 }, 2 * window);
        control.adjust(null, window * 1_000, 2 * window);
      }
      // The measured rate counts three steps of the search later; without it the rate would be 10
      // Gbit/s.
      expect(control.rateBps(null)).toBeLessThan(1_500 * mbit);
      expect(control.rateBps(null)).toBeGreaterThan(300 * mbit);
    });
  });

  test.each([10, 50, 200])(
    "finds what a link carries behind a queue of %d ms, without counting losses of earlier passes",
    (queueMs) => {
      for (const carriesBps of [20 * mbit, 50 * mbit, 200 * mbit]) {
        for (const capBps of [null, 400 * mbit]) {
          const rates = runBehindQueue(capBps, carriesBps, queueMs, 100).slice(25);
          expect(mean(rates)).toBeGreaterThan(0.7 * carriesBps);
          expect(mean(rates)).toBeLessThan(1.1 * carriesBps);
        }
      }
    },
  );

  test("leaves most of a link to a flow that fills it, and returns after it", () => {
    for (const carriesBps of [20 * mbit, 50 * mbit, 200 * mbit]) {
      const flow = new TcpFlow();
      const rates = runBehindQueue(null, carriesBps, 200, 250, (ms) =>
        ms > 20_000 && ms <= 50_000 ? flow : null,
      );
      const [alone, beside, after] = [rates.slice(25, 50), rates.slice(75, 125), rates.slice(150)].map(mean);
      expect(alone!).toBeGreaterThan(0.7 * carriesBps);
      expect(beside!).toBeLessThan(0.45 * carriesBps);
      expect(Math.min(...rates.slice(50, 125))).toBeGreaterThan(0.1 * carriesBps);
      expect(flow.sentBits / 30).toBeGreaterThan(0.5 * carriesBps);
      expect(after!).toBeGreaterThan(0.75 * carriesBps);
    }
  });

  test("does not yield to the queue of a single receiver, nor to a short queue", () => {
    const control = new RateControl(200 * mbit, 0);
    const reported = (queues: readonly number[], pass: number): void => {
      for (const [i, queuedMs] of queues.entries())
        control.onReport(`receiver ${i}`, { lossPermille: 0, queuedMs }, pass);
      control.adjust(200 * mbit, pass * 1_000, pass);
    };
    for (const [at, queues] of [
      [200, 0, 0, 0],
      [35, 35, 35, 35],
      [0, 0, 500, 500],
      [0, 900],
    ].entries())
      reported(queues, at + 1);
    expect(control.rateBps(200 * mbit)).toBe(200 * mbit);
    expect(control.yieldDelayMs).toBeNull();
    reported([0, 90, 80, 80, 85], 5);
    expect(control.yieldDelayMs).toBe(80);
    expect(control.rateBps(200 * mbit)).toBeLessThan(160 * mbit);
  });

  test("is kept when the loss does not depend on it", () => {
    for (const baselineLoss of [0.01, 0.05, 0.1]) {
      const rates = run(
        new RateControl(200 * mbit, 0),
        200 * mbit,
        alike({ carriesBps: 1e9, baselineLoss: baselineLoss }),
        40,
      );
      expect(rates.filter((rate) => rate < 200 * mbit).length).toBeLessThanOrEqual(2);
    }
  });

  test("is not probed for a loss that is cheaper to repair, and decreases by the lost share otherwise", () => {
    const rates = (baselineLoss: number): number[] =>
      run(
        new RateControl(200 * mbit, 0),
        200 * mbit,
        alike({ carriesBps: 1e9, baselineLoss: baselineLoss }),
        40,
      );
    expect(new Set([...rates(0.01), ...rates(0.025)])).toEqual(new Set([200 * mbit]));
    expect(Math.min(...rates(0.05))).toBeGreaterThan(175 * mbit);
  });

  test("is not judged by a single early report", () => {
    const control = new RateControl(200 * mbit, 0);
    const all = (lossPermille: number, pass: number): void => {
      for (let i = 0; i < 8; i++) control.onReport(`receiver ${i}`, { lossPermille, queuedMs: 0 }, pass);
    };
    all(0, 1);
    control.adjust(200 * mbit, 1_000, 1);
    control.onReport("receiver 0", { lossPermille: 200, queuedMs: 0 }, 2);
    expect(control.adjust(200 * mbit, 1_300, 2)).toBe(false);
    all(0, 2);
    control.adjust(200 * mbit, 1_400, 2);
    expect(control.rateBps(200 * mbit)).toBe(200 * mbit);
    expect(control.medianLossPermille).toBe(0);
    // A single receiver reports a second time in a row: the others have left.
    control.onReport("receiver 0", { lossPermille: 400, queuedMs: 0 }, 3);
    expect(control.adjust(200 * mbit, 2_400, 3)).toBe(true);
  });

  test.each([
    [
      "ignores the loss of a single window",
      [
        [200, 0],
        [0, 0],
        [200, 0],
        [0, 0],
      ],
      [200, 200, 200, 200],
    ],
    [
      "decreases at the loss of a second window in a row",
      [
        [200, 0],
        [200, 0],
      ],
      [200, 152],
    ],
    ["decreases at the loss of the first window behind a queue", [[200, 30]], [152]],
    ["decreases at once when the loss is above the bound", [[310, 0]], [131]],
  ] as const)("%s", (_, reports, rates) => {
    const control = new RateControl(200 * mbit, 0);
    const after = ratesAfter(
      control,
      reports.map(([lossPermille, queuedMs]) => ({ lossPermille, queuedMs })),
    );
    expect(after.map((rateBps) => Math.round(rateBps / mbit))).toEqual([...rates]);
  });

  test("recovers soon from a short stall, and does not repeatedly overrun a full path", () => {
    const control = new RateControl(200 * mbit, 0);
    control.onEndSent(10, 80 * mbit);
    const after = Array.from({ length: 8 }, () => nothing);
    const rates = ratesAfter(control, [{ lossPermille: 400, queuedMs: 0 }, ...after]);
    expect(rates[0]!).toBeLessThan(50 * mbit);
    expect(rates.at(-1)!).toBeGreaterThan(150 * mbit);
    const carried = run(
      new RateControl(200 * mbit, 0),
      200 * mbit,
      alike({ carriesBps: 100 * mbit, baselineLoss: 0 }),
      60,
    );
    expect(mean(carried.slice(10))).toBeLessThan(112 * mbit);
    expect(mean(carried.slice(10))).toBeGreaterThan(92 * mbit);
  });

  test("recovers soon from an isolated loss", () => {
    const control = new RateControl(200 * mbit, 0);
    run(control, 200 * mbit, alike({ carriesBps: 1e9, baselineLoss: 0.5 }), 1);
    expect(control.rateBps(200 * mbit)).toBeLessThan(100 * mbit);
    const rates = ratesAfter(
      control,
      Array.from({ length: 10 }, () => nothing),
      2,
    );
    expect(rates[4]!).toBeGreaterThan(160 * mbit);
    expect(rates.at(-1)!).toBeGreaterThan(180 * mbit);
  });

  test("decreases at congestion also where the network has a baseline loss", () => {
    const rates = run(
      new RateControl(400 * mbit, 0),
      400 * mbit,
      alike({ carriesBps: 200 * mbit, baselineLoss: 0.05 }),
      40,
    );
    expect(mean(rates.slice(10))).toBeLessThan(230 * mbit);
    expect(mean(rates.slice(10))).toBeGreaterThan(140 * mbit);
  });

  test("is not paced by a few slow receivers, but by the only one", () => {
    const fast = { carriesBps: 1e9, baselineLoss: 0 };
    const slow = { carriesBps: 20 * mbit, baselineLoss: 0 };
    const many = run(new RateControl(200 * mbit, 0), 200 * mbit, [slow, fast, fast, slow, fast], 20);
    expect(Math.min(...many)).toBe(200 * mbit);
    const two = run(new RateControl(200 * mbit, 0), 200 * mbit, [slow, fast], 20);
    expect(Math.min(...two)).toBe(200 * mbit);
    const one = run(new RateControl(200 * mbit, 0), 200 * mbit, [slow], 20);
    expect(one.at(-1)!).toBeLessThan(25 * mbit);
  });

  test("never falls below the floor, nor below a cap that is lower still", () => {
    const slow = alike({ carriesBps: 1, baselineLoss: 0 });
    expect(Math.min(...run(new RateControl(200 * mbit, 0), 200 * mbit, slow, 40))).toBe(rateFloorBps);
    expect(Math.min(...run(new RateControl(mbit, 0), mbit, slow, 40))).toBe(mbit);
  });

  test("is halved while ENDs are not answered, and rises with the first reports", () => {
    const control = new RateControl(200 * mbit, 0);
    for (let window = 1; window <= 10; window++) {
      control.onEndSent(2 * window, null);
      control.adjust(200 * mbit, window * 1_000, 2 * window);
    }
    expect(control.rateBps(200 * mbit)).toBeLessThan(5 * mbit);
    const rates = run(control, 200 * mbit, alike({ carriesBps: 1e9, baselineLoss: 0 }), 30).slice(11);
    expect(rates.at(-1)!).toBeGreaterThan(100 * mbit);
  });

  test("follows a changed cap, and stays when no receiver reports", () => {
    const control = new RateControl(200 * mbit, 0);
    expect(control.rateBps(50 * mbit)).toBe(50 * mbit);
    expect(control.adjust(200 * mbit, 10_000, 1)).toBe(false);
    expect(control.medianLossPermille).toBeNull();
  });
});
