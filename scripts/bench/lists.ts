/**
 * `bench lists`: processor time of the source for each list and view of the API, with the catalog
 * of a large fleet. Requests go to the app without a socket, so that no client is measured.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFixture, type Fixture } from "../../shared/source/app-fixture.ts";
import { tableLines } from "../../shared/text-table.ts";
import { connectDevices, longestTurnMs, p95Of, processorMs } from "./source-cost.ts";
import { fillCatalog, rooms, type FleetSize } from "./large-catalog.ts";

type ListOptions = FleetSize & {
  /** Devices with an open event stream. */
  readonly connected: number;
  readonly repeat: number;
  /** Upper bound on the processor time of one row, after which it is not repeated. */
  readonly slow: number;
};
type View = {
  readonly name: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly json?: unknown;
};
type Measured = {
  readonly name: string;
  readonly p95Ms: number;
  /** Longest time for which the event loop did nothing else. */
  readonly turnMs: number;
  readonly bytes: number;
  readonly status: number;
};

const draft = { package: "package-0@1.0", action: "pre-cache", setting: null, startAtMs: null };

const countOf = (target: string): string => `/v1/targets/check?target=${encodeURIComponent(target)}`;

const views: readonly View[] = [
  { name: "overview", path: "/v1/overview" },
  { name: "devices", path: "/v1/devices?limit=100" },
  { name: "devices, by tag", path: "/v1/devices?limit=100&filter=tag%3Droom-7" },
  { name: "devices, by site", path: "/v1/devices?limit=100&filter=site%3Dsite-7" },
  { name: "devices, search", path: "/v1/devices?limit=100&search=pc-0999" },
  { name: "devices, by last contact", path: "/v1/devices?limit=100&sort=-lastSeenAtMs" },
  { name: "a device", path: "/v1/devices/000000000000007f" },
  { name: "a device's tasks", path: "/v1/devices/000000000000007f/tasks?limit=100" },
  { name: "tasks", path: "/v1/tasks?limit=100" },
  { name: "a task for all", path: "/v1/tasks/1?devices=none" },
  { name: "its subnets", path: "/v1/tasks/1/subnets?limit=100" },
  { name: "its devices", path: "/v1/tasks/1/devices?limit=100" },
  { name: "its failed devices", path: "/v1/tasks/1/devices?limit=100&state=failed" },
  { name: "a task for a room", path: "/v1/tasks/107?devices=none" },
  { name: "subnets", path: "/v1/subnets?limit=100" },
  { name: "sites", path: "/v1/sites?limit=100" },
  { name: "groups", path: "/v1/groups?limit=100" },
  { name: "packages", path: "/v1/packages?limit=100" },
  { name: "a package's devices", path: "/v1/packages/package-0@1.0/devices?limit=100" },
  { name: "settings", path: "/v1/settings" },
  { name: "assignments", path: "/v1/setting-assignments" },
  { name: "audit", path: "/v1/audit?limit=100" },
  { name: "audit, by object", path: "/v1/audit?limit=100&object=device%200000000000000fff" },
  { name: "users", path: "/v1/users?limit=100" },
  { name: "tokens", path: "/v1/tokens?limit=100" },
  { name: "WAN report", path: "/v1/reports/wan" },
  { name: "metrics", path: "/metrics" },
  { name: "target, a tag", path: countOf("tag=room-7") },
  { name: "target, all", path: countOf("all") },
  {
    name: "target, four words",
    path: countOf("site=site-* and not tag=room-7 and os-version>=10.0.22001 and memory>=4GB"),
  },
  {
    name: "preview for a room",
    method: "POST",
    path: "/v1/tasks/dry-run",
    json: { ...draft, target: `tag=room-${rooms - 1}` },
  },
  { name: "target, a pattern", path: countOf("name=pc-0999*") },
  { name: "target, results", path: countOf("complete-in=1 and not failed-in=2") },
  { name: "target, packages", path: countOf("holds=package-0@>=1.1") },
  { name: "devices, none matches", path: "/v1/devices?limit=100&filter=memory%3C1MB" },
  { name: "lanes of a task for all", path: "/v1/tasks/1/subnets?limit=50" },
  { name: "its unfinished devices", path: "/v1/tasks/1/devices?limit=100&devices=unfinished" },
  { name: "preview for all", method: "POST", path: "/v1/tasks/dry-run", json: { ...draft, target: "all" } },
  // Changes, which wake the devices.
  { name: "create a task for all", method: "POST", path: "/v1/tasks", json: { ...draft, target: "all" } },
  { name: "pause a task for all", method: "POST", path: "/v1/tasks/1/pause" },
  {
    name: "change a setting",
    method: "PATCH",
    path: "/v1/settings/setting-7",
    json: { set: { wanAttempts: 5 }, inherit: [] },
  },
  {
    name: "assign a setting",
    method: "PUT",
    path: "/v1/setting-assignments",
    json: { setting: "setting-1", target: "tag=room-1", rank: 1 },
  },
  { name: "retry failed devices", method: "POST", path: "/v1/tasks/2/retry" },
];

async function measure(fixture: Fixture, view: View, { repeat, slow }: ListOptions): Promise<Measured> {
  const times: number[] = [];
  let [bytes, status, turnMs] = [0, 0, 0];
  for (let round = 0; round < repeat; round++) {
    const init = view.json === undefined ? {} : { json: view.json };
    const ask = async (): Promise<void> => {
      const response = await fixture.raw(view.method ?? "GET", view.path, init);
      bytes = (await response.arrayBuffer()).byteLength;
      status = response.status;
    };
    // The watch of the turns costs processor time, so that it has a request of its own.
    if (round === 0) turnMs = await longestTurnMs(ask);
    const beganMs = processorMs();
    await ask();
    times.push(processorMs() - beganMs);
    if (times.at(-1)! > slow) break;
  }
  return { name: view.name, p95Ms: p95Of(times), turnMs, bytes, status };
}

/** Measures every view on a catalog that it fills and removes. */
export async function runLists(options: ListOptions): Promise<string> {
  const nowMs = Date.now();
  const folder = await mkdtemp(join(tmpdir(), "flockcast-bench-lists-"));
  await fillCatalog(join(folder, "catalog.db"), options, nowMs);
  const fixture = await openFixture({}, nowMs, folder);
  try {
    connectDevices(fixture, options.connected);
    const rows: string[][] = [];
    const beganMs = processorMs();
    const turn = await longestTurnMs(() => fixture.catalog.deviceList.scan(null, 0));
    rows.push([
      "index of devices, once",
      `${(processorMs() - beganMs).toFixed(1)} ms`,
      `${turn.toFixed(0)} ms`,
      "",
    ]);
    for (const view of views) {
      const { name, p95Ms, turnMs, bytes, status } = await measure(fixture, view, options);
      const shown = status === 200 ? `${p95Ms.toFixed(1)} ms` : `refused (${status})`;
      rows.push([name, shown, `${turnMs.toFixed(0)} ms`, `${(bytes / 1_000).toFixed(1)} kB`]);
    }
    return tableLines(["view", "p95", "longest turn", "answer"], rows).join("\n");
  } finally {
    await fixture.close();
  }
}
