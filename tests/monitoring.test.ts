/**
 * Alert rules and dashboard of docs/monitoring: every metric and label that they name is one of the
 * metrics that a running source and a running agent serve.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackProgram } from "../scripts/rig/debian.ts";
import { runToEnd } from "../scripts/rig/process.ts";
import { metricsOf } from "../scripts/rig/deployment.ts";
import { openHarness } from "./harness.ts";
import { testUnless } from "./network-test.ts";

const folder = join(import.meta.dir, "..", "docs", "monitoring");
const alertsFile = join(folder, "alerts.yml");

type Alert = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
};
type Panel = {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
};

const alerts = (
  Bun.YAML.parse(await readFile(alertsFile, "utf8")) as { groups: { rules: Alert[] }[] }
).groups.flatMap(({ rules }) => rules);
const { panels } = JSON.parse(await readFile(join(folder, "dashboard.json"), "utf8")) as { panels: Panel[] };
const expressions = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
];

/** Metric → its help and type, of source and agent. */
const served = new Map<string, string>();
beforeAll(async () => {
  await using harness = await openHarness();
  const peer = await harness.startPeer({ name: "p1" });
  const agent = await fetch("http://agent/metrics", { unix: join(peer.data, "agent.sock") });
  for (const text of [await metricsOf(harness.source), await agent.text()])
    for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) served.set(name, type);
}, 120_000);

const namesIn = (expr: string): string[] => expr.match(/\bflockcast_\w+/g) ?? [];

test("every expression names metrics that are served, and rates are of counters", () => {
  expect(served.size).toBeGreaterThan(30);
  for (const [where, expr] of expressions) {
    const names = namesIn(expr);
    if (where !== "FlockcastSourceDown") expect([where, names.length > 0]).toEqual([where, true]);
    for (const name of names) expect([where, name, served.has(name)]).toEqual([where, name, true]);
    for (const [, name = ""] of expr.matchAll(/\b(?:rate|increase)\((flockcast_\w+)/g))
      expect([where, name, served.get(name)]).toEqual([where, name, "counter"]);
    for (const name of names.filter((one) => one.endsWith("_total")))
      expect(`${where}: ${expr}`).toMatch(new RegExp(String.raw`(rate|increase)\(${name}\b`));
  }
});

test("every alert has a severity, a summary and a description of what to do, and a name of its own", () => {
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  for (const { alert, labels, annotations, for: duration } of alerts) {
    expect(alert).toMatch(/^Flockcast[A-Z]\w+$/);
    expect(["warning", "critical"]).toContain(labels.severity);
    expect(duration).toMatch(/^\d+[mh]$/);
    expect([annotations.summary.length > 10, annotations.description.length > 20]).toEqual([true, true]);
  }
});

describe("the dashboard", () => {
  test("has panels of their own number and place, within 24 columns", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x, y, cells.has(`${x} ${y}`)]).toEqual([title, x, y, false]);
          cells.add(`${x} ${y}`);
        }
    }
  });

  test("shows every metric of the source", () => {
    const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr))));
    const others = new Set(["flockcast_source_enrolment_alarms_total", "flockcast_source_stale"]);
    const missing = [...served.keys()].filter(
      (name) => name.startsWith("flockcast_source_") && !shown.has(name) && !others.has(name),
    );
    expect(missing).toEqual([]);
  });
});

// The package would start a server and bring the libraries of its pages.
const promtool = await unpackProgram("prometheus", "usr/bin/promtool");
testUnless("missing" in promtool ? promtool.missing : null)(
  "promtool accepts the rules, and finds one that is wrong",
  async () => {
    if ("missing" in promtool) throw new Error(promtool.missing);
    const check = (file: string) => runToEnd([promtool.path, "check", "rules", "--lint-fatal", file]);
    const { status, stdout, stderr } = await check(alertsFile);
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining("SUCCESS")]);
    const copy = await mkdtemp(join(tmpdir(), "flockcast-alerts-"));
    try {
      const wrong = join(copy, "wrong.yml");
      await writeFile(wrong, (await readFile(alertsFile, "utf8")).replace("rate(", "rat("));
      expect((await check(wrong)).status).not.toBe(0);
    } finally {
      await rm(copy, { recursive: true });
    }
  },
  60_000,
);
