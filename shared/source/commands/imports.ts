/**
 * Commands `device import`, `group import` and `subnet import`: bring devices, groups and subnets
 * to the state of a file. All rows are checked before the first change, and a row that is
 * already true changes nothing: an import that was interrupted can be repeated.
 */
import * as v from "valibot";
import type { AdminClient } from "../../api/agent-client.ts";
import type { Subnet } from "../../api/schema/admin.ts";
import type { Device } from "../../api/schema/device.ts";
import { foldedName } from "../../model/glob.ts";
import { labelNameSchema } from "../../model/label-name.ts";
import { connect, type JsonOptions } from "./connect.ts";
import {
  ImportFaults,
  namesIn,
  readImport,
  reportImport,
  textIn,
  type ImportChange,
  type ImportOptions,
  type ImportRow,
} from "./import-file.ts";

type Options = JsonOptions & ImportOptions;

/** Devices that one request tags: their ids fit into a target. */
const devicesPerRequest = 100;

type DeviceChange = ImportChange & {
  readonly device: Device;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Undefined: the name stays. */
  readonly name: string | null | undefined;
};

export async function importDevices(file: string, options: Options): Promise<void> {
  const rows = await readImport(file, ["id", "hostname", "tags", "name"], "id");
  const client = await connect(options);
  const devices = new Map((await client.devices()).map((one) => [one.id, one]));
  const faults = new ImportFaults();
  const changes = rows.flatMap((row, at) => {
    const change = deviceChange(devices, row, (why) => faults.note(at, why));
    return change === null || change.changes.length === 0 ? [] : [change];
  });
  faults.check();
  if (!options.dryRun) await applyDevices(client, changes);
  reportImport(rows.length, changes.map(plain), options);
}

const plain = ({ object, changes }: ImportChange): ImportChange => ({ object, changes });

const has = (list: readonly string[], tag: string): boolean =>
  list.some((one) => foldedName(one) === foldedName(tag));

function deviceChange(
  devices: ReadonlyMap<string, Device>,
  row: ImportRow,
  fault: (why: string) => null,
): DeviceChange | null {
  const id = textIn(row, "id") ?? "";
  const device = devices.get(id);
  if (device === undefined) return fault(`no device has the id "${id}": device list shows all`);
  const wanted = namesIn(row, "tags");
  const wrong = wanted?.find((one) => !v.is(labelNameSchema, one));
  if (wrong !== undefined) return fault(`"${wrong}" cannot be a tag`);
  const add = wanted?.filter((tag) => !has(device.tags, tag)) ?? [];
  const remove = wanted === null ? [] : device.tags.filter((tag) => !has(wanted, tag));
  const text = textIn(row, "name");
  const name = text === null || text === (device.name ?? "") ? undefined : text === "" ? null : text;
  const changes = [
    ...add.map((tag) => `+${tag}`),
    ...remove.map((tag) => `-${tag}`),
    ...(name === undefined ? [] : [`name ${device.name ?? "none"} → ${name ?? "none"}`]),
  ];
  return { object: `device ${id} ${device.hostname}`, changes, device, add, remove, name };
}

/** Devices with the same change of tags share requests. */
async function applyDevices(client: AdminClient, changes: readonly DeviceChange[]): Promise<void> {
  const tagged = changes.filter(({ add, remove }) => add.length + remove.length > 0);
  const groups = Map.groupBy(tagged, ({ add, remove }) => JSON.stringify([add, remove]));
  for (const group of groups.values())
    for (let at = 0; at < group.length; at += devicesPerRequest) {
      const part = group.slice(at, at + devicesPerRequest);
      const [{ add, remove }] = part as [DeviceChange];
      const devices = part.map(({ device }) => device.id).join(",");
      await client.changeTags({ devices, add: [...add], remove: [...remove] });
    }
  for (const { device, name } of changes) if (name !== undefined) await client.renameDevice(device.id, name);
}

type SubnetChange = ImportChange & {
  readonly id: string;
  readonly label: { readonly name?: string | null; readonly site?: string | null };
};

export async function importSubnets(file: string, options: Options): Promise<void> {
  const rows = await readImport(file, ["id", "name", "site", "cidr"], "id");
  const client = await connect(options);
  const [subnets, sites] = await Promise.all([client.subnets(), client.sites()]);
  const byId = new Map(subnets.map((one) => [one.id, one]));
  const faults = new ImportFaults();
  const changes = rows.flatMap((row, at) => {
    const change = subnetChange(byId, row, (why) => faults.note(at, why));
    return change === null || change.changes.length === 0 ? [] : [change];
  });
  faults.check();
  const known = new Set(sites.map(({ name }) => foldedName(name)));
  const wanted = changes.flatMap(({ label }) => (label.site ? [label.site] : []));
  const missing = new Map(
    wanted.filter((site) => !known.has(foldedName(site))).map((site) => [foldedName(site), site]),
  );
  if (!options.dryRun) {
    for (const site of missing.values()) await client.createSite(site);
    for (const { id, label } of changes) await client.labelSubnet(id, label);
  }
  const created = [...missing.values()].map((site) => ({ object: `site ${site}`, changes: ["new"] }));
  reportImport(rows.length, [...created, ...changes.map(plain)], options);
}

function subnetChange(
  subnets: ReadonlyMap<string, Subnet>,
  row: ImportRow,
  fault: (why: string) => null,
): SubnetChange | null {
  const id = textIn(row, "id") ?? "";
  const subnet = subnets.get(id);
  if (subnet === undefined) return fault(`no subnet has the id "${id}": subnet list shows all`);
  const label: { name?: string | null; site?: string | null } = {};
  const changes: string[] = [];
  for (const field of ["name", "site"] as const) {
    const text = textIn(row, field);
    const before = subnet[field];
    if (text === null || text === (before ?? "")) continue;
    if (text !== "" && !v.is(labelNameSchema, text)) return fault(`"${text}" cannot be a ${field}`);
    label[field] = text === "" ? null : text;
    changes.push(`${field} ${before ?? "none"} → ${text || "none"}`);
  }
  return { object: `subnet ${id} ${subnet.cidr}`, changes, id, label };
}

export async function importGroups(file: string, options: Options): Promise<void> {
  const rows = await readImport(file, ["name"], "name");
  const client = await connect(options);
  const known = new Set((await client.groups()).map(({ name }) => foldedName(name)));
  const faults = new ImportFaults();
  const added = rows.flatMap((row, at) => {
    const name = textIn(row, "name") ?? "";
    if (!v.is(labelNameSchema, name)) faults.note(at, `"${name}" cannot be a group`);
    if (known.has(foldedName(name))) return [];
    known.add(foldedName(name));
    return [name];
  });
  faults.check();
  if (!options.dryRun) for (const name of added) await client.createGroup(name);
  const changes = added.map((name) => ({ object: `group ${name}`, changes: ["new"] }));
  reportImport(rows.length, changes, options);
}
