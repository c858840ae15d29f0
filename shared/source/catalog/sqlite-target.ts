/**
 * Targets as conditions of SQL. A condition selects every device that the target matches, and maybe
 * others: the evaluation (model/target) decides afterwards. Only what an index answers becomes one.
 */
import { foldedName, isPattern } from "../../model/glob.ts";
import { noneName } from "../../model/label-name.ts";
import type { Target } from "../../model/target/index.ts";

export type DeviceCondition = {
  readonly sql: string;
  readonly values: Readonly<Record<string, string | number>>;
};

/** SQLite folds the case of these letters alone. */
export const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

const tagSql = (list: string): string =>
  `devices.id IN (SELECT device_id FROM device_tags WHERE tag IN (SELECT value FROM json_each(${list})))`;
const namesSql = (list: string): string =>
  `devices.id IN (SELECT value FROM json_each(${list})
     UNION SELECT id FROM devices WHERE hostname COLLATE NOCASE IN (SELECT value FROM json_each(${list}))
     UNION SELECT id FROM devices WHERE display_name COLLATE NOCASE IN (SELECT value FROM json_each(${list})))`;
const siteSql = (list: string): string =>
  `devices.subnet_id IN (SELECT subnet_id FROM subnet_labels JOIN sites ON sites.id = site_id
     WHERE folded IN (SELECT value FROM json_each(${list})))`;
const subnetSql = (list: string): string =>
  `devices.subnet_id IN (SELECT value FROM json_each(${list})
     UNION SELECT subnet_id FROM subnet_labels WHERE name COLLATE NOCASE IN (SELECT value FROM json_each(${list})))`;

/** Collects the parameters of one condition. */
class Parameters {
  readonly values: Record<string, string> = {};

  list(texts: readonly string[]): string {
    const name = `target${Object.keys(this.values).length}`;
    this.values[name] = JSON.stringify(texts);
    return `$${name}`;
  }
}

/**
 * Returns the condition of a target; null where no index helps.
 * @param acceptsWishes groups that devices state themselves count as tags, and have no index
 */
export function conditionOf(target: Target, acceptsWishes: boolean): DeviceCondition | null {
  const parameters = new Parameters();
  const sql = partOf(target, acceptsWishes, parameters);
  return sql === null ? null : { sql, values: parameters.values };
}

function partOf(target: Target, acceptsWishes: boolean, parameters: Parameters): string | null {
  switch (target.kind) {
    case "all":
    case "not":
      return null;
    case "names":
      return target.names.every(isAscii) ? namesSql(parameters.list(target.names)) : null;
    case "and": {
      const parts = target.parts.map((part) => partOf(part, acceptsWishes, parameters));
      const known = parts.filter((part) => part !== null);
      return known.length === 0 ? null : known.map((part) => `(${part})`).join(" AND ");
    }
    case "or": {
      const parts = target.parts.map((part) => partOf(part, acceptsWishes, parameters));
      return parts.includes(null) ? null : parts.map((part) => `(${part})`).join(" OR ");
    }
    case "test":
      return testOf(target, acceptsWishes, parameters);
  }
}

function testOf(
  { word, operator, values }: Target & { kind: "test" },
  acceptsWishes: boolean,
  parameters: Parameters,
): string | null {
  if (operator !== "=" && operator !== "in") return null;
  if (values.some((value) => isPattern(value))) return null;
  switch (word) {
    case "tag":
    case "group":
      return acceptsWishes || !values.every(isAscii) ? null : tagSql(parameters.list(values));
    case "name":
      return values.every(isAscii) ? namesSql(parameters.list(values)) : null;
    case "site":
      if (values.some((value) => foldedName(value) === noneName)) return null;
      return siteSql(parameters.list(values.map(foldedName)));
    case "device":
      return `devices.id IN (SELECT value FROM json_each(${parameters.list(values)}))`;
    case "subnet":
      if (values.some((value) => value.includes("/") || !isAscii(value))) return null;
      return subnetSql(parameters.list(values));
    default:
      return null;
  }
}
