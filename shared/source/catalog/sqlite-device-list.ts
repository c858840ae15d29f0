/** Lists of devices in SQLite: device-list.ts. */
import type { Database } from "bun:sqlite";
import { foldedName } from "../../model/glob.ts";
import type {
  CatalogCounts,
  DeviceFilter,
  DeviceListStore,
  DeviceOrder,
  DeviceQuery,
  SubnetPlace,
} from "./device-list.ts";
import { DeviceIndex } from "./sqlite-device-index.ts";
import { selectDevices, toDevice, type DeviceRow } from "./sqlite-device-row.ts";
import { conditionOf, isAscii } from "./sqlite-target.ts";

const columns: Readonly<Record<DeviceOrder, string>> = {
  enrolledAtMs: "enrolled_at_ms",
  hostname: "hostname COLLATE NOCASE",
  lastSeenAtMs: "last_seen_at_ms",
  subnetId: "coalesce(devices.subnet_id, '')",
};
const stateSql = {
  active: "suspended_at_ms IS NULL",
  suspended: "suspended_at_ms IS NOT NULL AND awaits_approval = 0",
  waiting: "suspended_at_ms IS NOT NULL AND awaits_approval = 1",
} as const;
const scopeSql = `devices.id IN (SELECT device_id FROM device_tags WHERE tag IN (SELECT value FROM json_each($scope)))`;

/** Names in other letters than ASCII. */
const notAscii = "GLOB '*[^ -~]*'";

const reportersSql = "SELECT device_id FROM progress WHERE task_id = $taskId";
const taskSql = `(removed_at_ms IS NULL OR removed_at_ms > $endedAtMs
  OR EXISTS (${reportersSql} AND device_id = devices.id))`;

type Conditions = {
  readonly sql: readonly string[];
  readonly values: Record<string, string | number | null>;
};

function conditionsOf(filter: DeviceFilter, scope: string): Conditions & { isNarrow: boolean } {
  const { ofTask, reported } = filter;
  const sql: string[] = [ofTask === undefined ? "removed_at_ms IS NULL" : taskSql];
  const values: Record<string, string | number | null> = {};
  let isNarrow = false;
  if (ofTask !== undefined) {
    values["taskId"] = ofTask.id;
    values["endedAtMs"] = ofTask.endedAtMs;
  }
  if (reported !== undefined) {
    sql.push(`devices.id IN (${reportersSql} AND state = $reported)`);
    values["reported"] = reported;
    isNarrow = true;
  }
  if (filter.scope.length > 0) {
    sql.push(scopeSql);
    values["scope"] = scope;
    isNarrow = true;
  }
  for (const [index, target] of filter.targets.entries()) {
    const found = conditionOf(target, filter.acceptsWishes);
    if (found === null) continue;
    isNarrow = true;
    const own = found.sql.replaceAll("$target", `$t${index}_`);
    sql.push(ofTask === undefined ? `(${own})` : `(${own} OR devices.id IN (${reportersSql}))`);
    for (const [name, value] of Object.entries(found.values))
      values[name.replace("target", `t${index}_`)] = value;
  }
  if (filter.search !== undefined) {
    sql.push(
      "(instr(lower(hostname), $search) OR instr(lower(coalesce(display_name, '')), $search) OR devices.id = $search)",
    );
    values["search"] = filter.search.toLowerCase();
  }
  if (filter.state !== undefined) sql.push(stateSql[filter.state]);
  if (filter.subnetId !== undefined) {
    sql.push("devices.subnet_id = $onSubnet");
    values["onSubnet"] = filter.subnetId;
    isNarrow = true;
  }
  return { sql, values, isNarrow };
}

/** Runs a statement whose text depends on the filter. */
function run<Row>(database: Database, sql: string, values: Record<string, string | number | null>): Row[] {
  const statement = database.prepare<Row, Record<string, string | number | null>>(sql);
  try {
    return statement.all(values);
  } finally {
    statement.finalize();
  }
}

/**
 * Returns the tags of a scope as a parameter, with their spellings in other letters than ASCII:
 * SQLite does not fold the case of these.
 */
export function spellingsOf(database: Database): (scope: readonly string[]) => string {
  const others = database.query<{ tag: string }, []>(
    `SELECT DISTINCT tag FROM device_tags WHERE tag ${notAscii}`,
  );
  return (scope) => {
    if (scope.every((tag) => isAscii(tag))) return JSON.stringify(scope);
    const own = new Set(scope.map(foldedName));
    const spelled = others.all().filter(({ tag }) => own.has(foldedName(tag)));
    return JSON.stringify([...scope, ...spelled.map(({ tag }) => tag)]);
  };
}

function page(database: Database): DeviceListStore["page"] {
  const spellings = spellingsOf(database);
  return async (query: DeviceQuery) => {
    const { sql, values, isNarrow } = conditionsOf(query, spellings(query.scope));
    // The unary plus keeps SQLite from walking the index of an order over all devices.
    const column = `${isNarrow ? "+" : ""}${columns[query.order]}`;
    const [compare, direction] = query.isDescending ? ["<", "DESC"] : [">", "ASC"];
    const after = query.after === null ? [] : [`(${column}, devices.id) ${compare} ($afterValue, $afterId)`];
    const key = query.after === null ? {} : { afterValue: query.after[0], afterId: query.after[1] };
    return run<DeviceRow>(
      database,
      `${selectDevices} WHERE ${[...sql, ...after].join(" AND ")}
       ORDER BY ${column} ${direction}, devices.id ${direction} LIMIT $limit`,
      { ...values, ...key, limit: query.limit },
    ).map(toDevice);
  };
}

/** Other letters than ASCII compare in the program: SQLite does not fold their case. */
function unknown(
  database: Database,
  known: string,
  others: string,
): (names: readonly string[]) => Promise<string[]> {
  const missing = database.query<{ value: string }, { names: string }>(
    `SELECT value FROM json_each($names) WHERE NOT EXISTS (${known})`,
  );
  const spelled = database.query<{ name: string }, []>(others);
  return async (given) => {
    const left = missing.all({ names: JSON.stringify(given) }).map(({ value }) => value);
    if (left.every((name) => isAscii(name))) return left;
    const folded = new Set(spelled.all().map(({ name }) => foldedName(name)));
    return left.filter((name) => !folded.has(foldedName(name)));
  };
}

function names(database: Database): Pick<DeviceListStore, "unknownNames" | "unknownTags" | "unknownSubnets"> {
  return {
    unknownNames: unknown(
      database,
      `SELECT 1 FROM devices WHERE id = value AND removed_at_ms IS NULL
       UNION ALL SELECT 1 FROM devices WHERE hostname COLLATE NOCASE = value AND removed_at_ms IS NULL
       UNION ALL SELECT 1 FROM devices WHERE display_name COLLATE NOCASE = value AND removed_at_ms IS NULL`,
      `SELECT hostname AS name FROM devices WHERE removed_at_ms IS NULL AND hostname ${notAscii}
       UNION SELECT display_name FROM devices WHERE removed_at_ms IS NULL AND display_name ${notAscii}`,
    ),
    unknownTags: unknown(
      database,
      "SELECT 1 FROM device_tags WHERE tag = value",
      `SELECT DISTINCT tag AS name FROM device_tags WHERE tag ${notAscii}`,
    ),
    unknownSubnets: unknown(
      database,
      `SELECT 1 FROM subnet_counters WHERE subnet_id = value
       UNION ALL SELECT 1 FROM subnet_labels JOIN subnet_counters USING (subnet_id)
         WHERE name COLLATE NOCASE = value`,
      `SELECT name FROM subnet_labels JOIN subnet_counters USING (subnet_id) WHERE name ${notAscii}`,
    ),
  };
}

function tags(database: Database): DeviceListStore["tags"] {
  const inScope = `($scope = '[]' OR ${scopeSql})`;
  const given = database.query<{ name: string; count: number }, { scope: string }>(
    `SELECT tag AS name, count(*) AS count FROM device_tags AS given
     WHERE $scope = '[]' OR device_id IN (
       SELECT device_id FROM device_tags WHERE tag IN (SELECT value FROM json_each($scope))) GROUP BY tag`,
  );
  const wished = database.query<{ name: string; count: number }, { scope: string }>(
    `SELECT value AS name, count(DISTINCT devices.id) AS count FROM devices, json_each(groups_json)
     WHERE groups_json <> '[]' AND removed_at_ms IS NULL AND ${inScope} AND NOT EXISTS (
       SELECT 1 FROM device_tags WHERE device_id = devices.id AND tag = value) GROUP BY value`,
  );
  const spellings = spellingsOf(database);
  return async (scope) => {
    const parameters = { scope: spellings(scope) };
    return [
      ...given.all(parameters).map(({ name, count }) => ({ name, devices: count, wishes: 0 })),
      ...wished.all(parameters).map(({ name, count }) => ({ name, devices: 0, wishes: count })),
    ];
  };
}

function subnets(
  database: Database,
): Pick<
  DeviceListStore,
  "countBySubnet" | "subnets" | "onSubnets" | "siteCounts" | "sitesOfSubnets" | "subnetNames"
> {
  const place = `(SELECT json_array(subnet_cidr, subnet_site) FROM devices
    WHERE subnet_id = subnet_counters.subnet_id AND removed_at_ms IS NULL ORDER BY enrolled_at_ms, id LIMIT 1) AS place`;
  const list = database.query<
    { id: string; place: string; name: string | null; site: string | null },
    { after: string; limit: number; scope: string }
  >(
    `SELECT subnet_counters.subnet_id AS id, ${place}, subnet_labels.name, sites.name AS site FROM subnet_counters
     LEFT JOIN subnet_labels USING (subnet_id) LEFT JOIN sites ON sites.id = site_id
     WHERE subnet_counters.subnet_id > $after AND ($scope = '[]' OR EXISTS (
       SELECT 1 FROM devices WHERE devices.subnet_id = subnet_counters.subnet_id AND removed_at_ms IS NULL AND ${scopeSql}))
     ORDER BY subnet_counters.subnet_id LIMIT $limit`,
  );
  const devices = database.query<
    { id: string; subnetId: string; gateway: string },
    { ids: string; scope: string }
  >(
    `SELECT id, subnet_id AS subnetId, own_subnet_site AS gateway FROM devices
     WHERE subnet_id IN (SELECT value FROM json_each($ids)) AND removed_at_ms IS NULL
       AND ($scope = '[]' OR ${scopeSql})`,
  );
  const sites = database.query<{ name: string; devices: number; subnets: number }, []>(
    `SELECT sites.name, sum(devices) AS devices, count(*) AS subnets FROM subnet_counters
     JOIN subnet_labels USING (subnet_id) JOIN sites ON sites.id = site_id GROUP BY sites.id`,
  );
  const labelled = database.query<{ subnet_id: string; name: string }, []>(
    "SELECT subnet_id, sites.name FROM subnet_labels JOIN sites ON sites.id = site_id",
  );
  const subnetNames = database.query<{ id: string; name: string }, []>(
    `SELECT subnet_id AS id, name FROM subnet_labels JOIN subnet_counters USING (subnet_id)
     WHERE name IS NOT NULL`,
  );
  const spellings = spellingsOf(database);
  const bySubnet = database.query<{ id: string | null; devices: number }, { ids: string }>(
    `SELECT subnet_id AS id, count(*) AS devices FROM json_each($ids) AS given JOIN devices ON devices.id = given.value
     GROUP BY subnet_id`,
  );
  return {
    countBySubnet: async (ids) =>
      new Map(bySubnet.all({ ids: JSON.stringify(ids) }).map(({ id, devices: count }) => [id, count])),
    subnetNames: async () => subnetNames.all(),
    async subnets({ after, limit, scope }) {
      const rows = list.all({ after: after ?? "", limit, scope: spellings(scope) });
      return rows.map(({ place: text, ...row }): SubnetPlace => {
        const [cidr, gateway] = JSON.parse(text) as [string | null, string | null];
        return Object.assign({}, row, { cidr: cidr ?? "", gateway: gateway ?? "" });
      });
    },
    onSubnets: async (ids, scope) => devices.all({ ids: JSON.stringify(ids), scope: spellings(scope) }),
    siteCounts: async () => new Map(sites.all().map(({ name, ...sums }) => [name, sums])),
    sitesOfSubnets: async () => new Map(labelled.all().map((row) => [row.subnet_id, row.name])),
  };
}

function counts(database: Database): DeviceListStore["counts"] {
  const suspended = "FROM devices WHERE suspended_at_ms IS NOT NULL AND removed_at_ms IS NULL";
  const read = database.query<CatalogCounts, []>(
    `SELECT (SELECT devices FROM device_count) AS devices,
       (SELECT count(*) ${suspended} AND awaits_approval = 1) AS waiting,
       (SELECT count(*) ${suspended} AND awaits_approval = 0) AS suspended,
       (SELECT count(*) FROM subnet_counters) AS subnets,
       (SELECT count(*) FROM sites) AS sites,
       (SELECT count(*) FROM packages) AS packages,
       (SELECT count(*) FROM tasks WHERE state = 'active') AS openTasks,
       (SELECT count(*) FROM tasks WHERE state = 'paused') AS pausedTasks,
       (SELECT coalesce(sum(devices), 0) FROM task_counters JOIN tasks ON tasks.id = task_id
         WHERE tasks.state IN ('active', 'paused') AND task_counters.state = 'failed') AS failed`,
  );
  return async () => read.get()!;
}

function scan(database: Database): DeviceListStore["scan"] {
  const index = new DeviceIndex(database);
  return async (after, limit) => {
    while (!index.readPart()) await Bun.sleep(0);
    return index.after(after, limit);
  };
}

export function sqliteDeviceList(database: Database): DeviceListStore {
  return {
    page: page(database),
    scan: scan(database),
    counts: counts(database),
    ...names(database),
    tags: tags(database),
    ...subnets(database),
  };
}
