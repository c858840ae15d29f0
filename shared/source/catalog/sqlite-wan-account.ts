/**
 * Store of the WAN account in SQLite: package bytes by hour, package and subnet.
 *
 * Each byte is counted once. The source counts what it sends. For other web sites the devices'
 * reports count, less what the source sent to the same device. The account outlives packages and
 * tasks, so it has names and sizes of its own.
 */
import type { Database } from "bun:sqlite";
import type { Progress } from "../../api/schema/common.ts";
import { successStates } from "../../api/schema/common.ts";
import { courseNoter } from "./sqlite-task-course.ts";
import type { WanAccount, WanBytes, WanGrouping, WanRow, WanSent } from "./catalog.ts";

const hourMs = 3_600_000;
const hourOf = (atMs: number): number => Math.floor(atMs / hourMs);

type Place = { readonly package: number; readonly subnetId: string; readonly hour: number };

/** Adds bytes to the hour of a package and subnet, and to the totals. */
function adder(database: Database): (place: Place, bytes: Omit<WanBytes, "crossedBytes">) => void {
  const addHour = database.query(
    `INSERT INTO wan_hours (hour, package, subnet_id, source_bytes, web_bytes, direct_bytes)
     VALUES ($hour, $package, $subnetId, $sourceBytes, $webBytes, $directBytes)
     ON CONFLICT DO UPDATE SET source_bytes = source_bytes + excluded.source_bytes,
       web_bytes = web_bytes + excluded.web_bytes, direct_bytes = direct_bytes + excluded.direct_bytes`,
  );
  const addTotal = database.query(
    `UPDATE wan_totals SET source_bytes = source_bytes + $sourceBytes, web_bytes = web_bytes + $webBytes,
       direct_bytes = direct_bytes + $directBytes`,
  );
  return (place, bytes) => {
    addHour.run({ ...place, ...bytes });
    addTotal.run(bytes);
  };
}

/** Returns the number by which the account knows a package. */
function numberOfPackage(database: Database): (packageId: string) => number | null {
  const known = database.query<{ number: number }, { packageId: string }>(
    "SELECT number FROM wan_packages WHERE package_id = $packageId",
  );
  const add = database.query(
    `INSERT INTO wan_packages (package_id, name, version, size_bytes)
     SELECT id, name, version, size_bytes FROM packages WHERE id = $packageId
     UNION SELECT package_id, package_name, package_version, package_bytes FROM tasks WHERE package_id = $packageId
     LIMIT 1`,
  );
  return (packageId) => {
    const found = known.get({ packageId });
    if (found !== null) return found.number;
    add.run({ packageId });
    return known.get({ packageId })?.number ?? null;
  };
}

type TaskBytes = { readonly taskId: number; readonly subnetId: string; readonly bytes: number };

/** Returns the function that adds bytes to a task, and to its course. */
function taskAdder(database: Database): (added: TaskBytes, atMs: number) => void {
  const add = database.query(
    `INSERT INTO wan_tasks (task_id, subnet_id, bytes) SELECT id, $subnetId, $bytes FROM tasks WHERE id = $taskId
     ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`,
  );
  const noteCourse = courseNoter(database);
  return ({ taskId, subnetId, bytes }, atMs) => {
    add.run({ taskId, subnetId, bytes });
    noteCourse(taskId, atMs, { wanBytes: bytes });
  };
}

/** Notes CIDR and site of a device's subnet for reports. */
function subnetNoter(database: Database): (deviceId: string) => void {
  const note = database.query(
    `INSERT INTO wan_subnets (subnet_id, cidr, site)
     SELECT subnet_id, subnet_cidr, subnet_site FROM devices WHERE id = $deviceId AND subnet_id IS NOT NULL
     ON CONFLICT DO UPDATE SET cidr = excluded.cidr, site = excluded.site
     WHERE cidr <> excluded.cidr OR site <> excluded.site`,
  );
  return (deviceId) => void note.run({ deviceId });
}

function addSent(database: Database): WanAccount["add"] {
  const [numberOf, add, addTask, note] = [
    numberOfPackage(database),
    adder(database),
    taskAdder(database),
    subnetNoter(database),
  ];
  const sent = database.query(
    `INSERT INTO wan_devices (package, device_id, sent_bytes) VALUES ($package, $deviceId, $bytes)
     ON CONFLICT DO UPDATE SET sent_bytes = sent_bytes + excluded.sent_bytes`,
  );
  // Without a grant, as after a restart of the source: the task that the device works on.
  const likely = database.query<{ id: number }, { packageId: string; deviceId: string }>(
    `SELECT id FROM tasks LEFT JOIN progress ON task_id = id AND device_id = $deviceId
     WHERE package_id = $packageId AND tasks.state = 'active'
     ORDER BY coalesce(progress.state = 'downloading', 0) DESC, id LIMIT 1`,
  );
  const addOne = ({ packageId, subnetId, deviceId, taskId, bytes }: WanSent, atMs: number): void => {
    const number = numberOf(packageId);
    if (number === null) return;
    note(deviceId);
    sent.run({ package: number, deviceId, bytes });
    add(
      { package: number, subnetId, hour: hourOf(atMs) },
      { sourceBytes: bytes, webBytes: 0, directBytes: 0 },
    );
    const task = taskId ?? likely.get({ packageId, deviceId })?.id;
    if (task !== undefined) addTask({ taskId: task, subnetId, bytes }, atMs);
  };
  return async (entries, atMs) =>
    database.transaction(() => {
      for (const entry of entries) addOne(entry, atMs);
    })();
}

/** Earlier report of a device about a task. */
export type EarlierReport = { readonly attempt: number; readonly wanBytesFetched: number };

type TaskRow = { package_id: string; package_bytes: number; has_urls: number };

/**
 * Returns the function that counts a report. The caller has stored what the source sent until now,
 * and runs the function in the transaction that stores the report.
 */
export function wanReporter(
  database: Database,
): (deviceId: string, report: Progress, earlier: EarlierReport | null, atMs: number) => void {
  const [numberOf, add, addTask, note] = [
    numberOfPackage(database),
    adder(database),
    taskAdder(database),
    subnetNoter(database),
  ];
  const taskOf = database.query<TaskRow, { taskId: number }>(
    `SELECT package_id, package_bytes,
       EXISTS (SELECT 1 FROM package_urls WHERE package_urls.package_id = tasks.package_id) AS has_urls
     FROM tasks WHERE id = $taskId`,
  );
  const subnetOf = database.query<{ subnet_id: string | null }, { deviceId: string }>(
    "SELECT subnet_id FROM devices WHERE id = $deviceId",
  );
  const fetched = database.query<{ missing: number }, { package: number; deviceId: string; bytes: number }>(
    `INSERT INTO wan_devices (package, device_id, fetched_bytes) VALUES ($package, $deviceId, $bytes)
     ON CONFLICT DO UPDATE SET fetched_bytes = fetched_bytes + excluded.fetched_bytes
     RETURNING fetched_bytes - sent_bytes - web_bytes AS missing`,
  );
  const web = database.query(
    "UPDATE wan_devices SET web_bytes = web_bytes + $bytes WHERE package = $package AND device_id = $deviceId",
  );
  const completed = database.query<{ device_id: string }, { package: number; deviceId: string }>(
    `INSERT INTO wan_devices (package, device_id, is_complete) VALUES ($package, $deviceId, 1)
     ON CONFLICT DO UPDATE SET is_complete = 1 WHERE is_complete = 0
     RETURNING device_id`,
  );
  return (deviceId, { taskId, attempt = 1, state, bytesVerified, wanBytesFetched }, earlier, atMs) => {
    const before = earlier === null || attempt > earlier.attempt ? 0 : earlier.wanBytesFetched;
    // A device whose process was killed continues from a lower count: that fetched nothing.
    const bytes = Math.max(0, wanBytesFetched - before);
    if (bytes === 0 && bytesVerified === 0 && !successStates.has(state)) return;
    const task = taskOf.get({ taskId });
    if (task === null) return;
    const { package_id: packageId, package_bytes: packageBytes } = task;
    const isComplete = successStates.has(state) || (packageBytes > 0 && bytesVerified >= packageBytes);
    if (bytes === 0 && !isComplete) return;
    const number = numberOf(packageId);
    if (number === null) return;
    const subnetId = subnetOf.get({ deviceId })?.subnet_id ?? "";
    const place = { package: number, subnetId, hour: hourOf(atMs) };
    const missing = bytes === 0 ? 0 : fetched.get({ package: number, deviceId, bytes })!.missing;
    if (missing > 0) {
      web.run({ package: number, deviceId, bytes: missing });
      // Bytes of the source that it lost count of when it was killed count as its own.
      const [sourceBytes, webBytes] = task.has_urls === 1 ? [0, missing] : [missing, 0];
      note(deviceId);
      add(place, { sourceBytes, webBytes, directBytes: 0 });
      addTask({ taskId, subnetId, bytes: missing }, atMs);
    }
    if (!isComplete || completed.get({ package: number, deviceId }) === null) return;
    note(deviceId);
    add(place, { sourceBytes: 0, webBytes: 0, directBytes: packageBytes });
  };
}

/** Site that an administrator named; without one, the gateway of the subnet. */
const siteName = "coalesce(sites.name, site, '')";
/** Columns that identify and name the rows of a report. */
const groupings: Readonly<Record<WanGrouping, { readonly id: string; readonly name: string }>> = {
  hour: { id: "hour", name: "''" },
  package: { id: "package_id", name: "wan_packages.name || ' ' || version" },
  subnet: {
    id: "wan_hours.subnet_id",
    name: "coalesce(subnet_labels.name, cidr || iif(site = '', '', ' ' || site), '')",
  },
  site: { id: siteName, name: siteName },
};

const sums = `coalesce(sum(source_bytes), 0) AS sourceBytes, coalesce(sum(web_bytes), 0) AS webBytes,
  coalesce(sum(source_bytes + web_bytes), 0) AS crossedBytes, coalesce(sum(direct_bytes), 0) AS directBytes`;

function report(database: Database): WanAccount["report"] {
  const queries = new Map(
    Object.entries(groupings).map(([grouping, { id, name }]) => [
      grouping,
      database.query<Omit<WanRow, "id"> & { id: string | number }, { since: number; until: number }>(
        `SELECT ${id} AS id, ${name} AS name, ${sums}
         FROM wan_hours JOIN wan_packages ON number = package
           LEFT JOIN wan_subnets ON wan_subnets.subnet_id = wan_hours.subnet_id
           LEFT JOIN subnet_labels ON subnet_labels.subnet_id = wan_hours.subnet_id
           LEFT JOIN sites ON sites.id = site_id
         WHERE hour >= $since AND hour < $until GROUP BY 1 ORDER BY directBytes DESC, id`,
      ),
    ]),
  );
  return async (by, { sinceMs, untilMs }) => {
    const range = { since: hourOf(sinceMs), until: Math.ceil(untilMs / hourMs) };
    return queries
      .get(by)!
      .all(range)
      .map((row) => Object.assign(row, { id: String(row.id) }));
  };
}

export function sqliteWanAccount(database: Database): WanAccount {
  const ofTask = database.query<{ subnet_id: string; bytes: number }, { taskId: number }>(
    "SELECT subnet_id, bytes FROM wan_tasks WHERE task_id = $taskId",
  );
  const totals = database.query<WanBytes, []>(`SELECT ${sums} FROM wan_totals`);
  return {
    add: addSent(database),
    report: report(database),
    async ofTask(taskId) {
      return new Map(ofTask.all({ taskId }).map((row) => [row.subnet_id, row.bytes] as const));
    },
    async totals() {
      return totals.get()!;
    },
    async removeBefore(atMs) {
      database.transaction(() => {
        database.query("DELETE FROM wan_hours WHERE hour < $hour").run({ hour: hourOf(atMs) });
        for (const table of ["wan_devices", "wan_packages"])
          database.run(
            `DELETE FROM ${table} WHERE ${table === "wan_devices" ? "package" : "number"} NOT IN
               (SELECT package FROM wan_hours)`,
          );
        database.run("DELETE FROM wan_subnets WHERE subnet_id NOT IN (SELECT subnet_id FROM wan_hours)");
      })();
    },
  };
}
