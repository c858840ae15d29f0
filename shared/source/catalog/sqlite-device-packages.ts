/**
 * Store of what devices reported about packages and delivery in SQLite, in addition to the last
 * report of each task: it outlasts the task.
 */
import type { Database } from "bun:sqlite";
import { successStates, type Progress } from "../../api/schema/common.ts";
import { foldedName } from "../../model/glob.ts";
import { causesOf } from "../../model/reason.ts";
import type { DevicePackage, DevicePackageStore, DeviceSelection, ReportedVersion } from "./catalog.ts";
import { listedSql, rangeSql, selected } from "./sqlite-selection.ts";
import { isAscii } from "./sqlite-target.ts";

type Row = {
  device_id: string;
  package_name: string;
  package_version: string;
  ran_order: number | null;
  removed: number;
};

/**
 * Returns the function that notes a report, inside the transaction that stores it. `isNew`: the
 * device has not reported this state before. Clocks of devices may be wrong, so the order of the
 * first reports counts.
 */
export function progressNotes(
  database: Database,
): (deviceId: string, progress: Progress, isNew: boolean) => void {
  const putPackage = database.query(
    `INSERT INTO device_packages (device_id, package_name, package_version, ran_order, removed)
     SELECT $deviceId, package_name, package_version, iif(action = 'run', (
         SELECT coalesce(max(ran_order), 0) + 1 FROM device_packages WHERE device_id = $deviceId
       ), NULL), run IS 'uninstall'
     FROM tasks WHERE id = $taskId
     ON CONFLICT DO UPDATE SET ran_order = excluded.ran_order, removed = excluded.removed
     WHERE excluded.ran_order IS NOT NULL`,
  );
  const putWay = database.query(
    `UPDATE devices SET way = $way, way_causes_json = $causes, way_subnet_id = own_subnet_id
     WHERE id = $deviceId
       AND (way IS NOT $way OR way_causes_json <> $causes OR way_subnet_id IS NOT own_subnet_id)`,
  );
  return (deviceId, { taskId, state, way, reasons }, isNew) => {
    if (isNew && successStates.has(state)) putPackage.run({ deviceId, taskId });
    if (way !== "none") putWay.run({ deviceId, way, causes: JSON.stringify(causesOf(reasons)) });
  };
}

/** Returns the packages of one device: of each name, the version that ran last is current. */
function packagesOf(rows: readonly Row[]): DevicePackage[] {
  return [...Map.groupBy(rows, (row) => row.package_name.toLowerCase()).values()].flatMap((versions) => {
    const last = Math.max(...versions.map((row) => row.ran_order ?? -1));
    return versions.map((row) => ({
      packageName: row.package_name,
      packageVersion: row.package_version,
      isCurrent: row.ran_order === last && row.removed === 0,
    }));
  });
}

/** Every column that a target reads is in the index: most rows of a large fleet need no other. */
export const packageIndexStep = `
  DROP INDEX device_packages_by_name;
  CREATE INDEX device_packages_by_name
    ON device_packages (package_name, device_id, package_version, ran_order, removed);
  `;

/**
 * Returns the function that gives the spellings of a package's name: SQLite folds the case of ASCII
 * alone. Reads one row of the index for each name, whatever the number of devices.
 */
function spellingsOf(database: Database): (name: string) => readonly string[] {
  const all = database.query<{ name: string }, []>(
    `WITH RECURSIVE names (name) AS (SELECT min(package_name) FROM device_packages
       UNION ALL SELECT (SELECT min(package_name) FROM device_packages WHERE package_name > names.name)
         FROM names WHERE names.name IS NOT NULL)
     SELECT name FROM names WHERE name IS NOT NULL`,
  );
  return (name) => {
    if (isAscii(name)) return [name];
    const folded = foldedName(name);
    return all
      .all()
      .map((row) => row.name)
      .filter((one) => foldedName(one) === folded);
  };
}

export function sqliteDevicePackages(database: Database): DevicePackageStore {
  const columns = "device_id, package_name, package_version, ran_order, removed";
  const ofDevice = database.query<Row, { deviceId: string }>(
    `SELECT ${columns} FROM device_packages WHERE device_id = $deviceId`,
  );
  const spellings = spellingsOf(database);
  const named = (what: string, condition: string) => {
    const select = `SELECT ${what} FROM device_packages WHERE package_name = $packageName ${condition}`;
    const queries = {
      listed: database.query<unknown, Record<string, string>>(`${select} AND ${listedSql}`),
      ranged: database.query<unknown, Record<string, string>>(`${select} AND ${rangeSql}`),
    };
    return <Values extends unknown[]>(
      name: string,
      devices: DeviceSelection,
      others: Record<string, string> = {},
    ): Values[] => {
      const { kind, values } = selected(devices);
      return spellings(name).flatMap(
        (packageName) => queries[kind].values({ packageName, ...values, ...others }) as Values[],
      );
    };
  };
  const reported = named("device_id, package_version, ran_order, removed", "");
  const held = named("device_id, package_version", "");
  // SQLite folds the case of ASCII alone.
  const heldAscii = named("device_id", "AND package_version = $version COLLATE NOCASE");
  return {
    ofDevice: async (deviceId) => packagesOf(ofDevice.all({ deviceId })),
    async ofPackage(packageName, devices) {
      const byDevice = new Map<string, ReportedVersion[]>();
      for (const [id, version, ranOrder, removed] of reported<Reported>(packageName, devices)) {
        const one = { packageVersion: version, ranOrder, isRemoved: removed === 1 };
        const own = byDevice.get(id);
        if (own === undefined) byDevice.set(id, [one]);
        else own.push(one);
      }
      return byDevice;
    },
    async heldBy(packageName, version, devices) {
      if (isAscii(version))
        return new Set(heldAscii<[string]>(packageName, devices, { version }).map(([id]) => id));
      const wanted = foldedName(version);
      const holders = new Set<string>();
      for (const [id, one] of held<[string, string]>(packageName, devices))
        if (foldedName(one) === wanted) holders.add(id);
      return holders;
    },
  };
}

type Reported = [deviceId: string, version: string, ranOrder: number | null, removed: number];
