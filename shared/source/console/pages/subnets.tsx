/** Subnets and sites: devices of each, names, sites of subnets, and the end of merges. */
import type { Subnet } from "../../../api/schema/admin.ts";
import type { Site } from "../../../api/schema/labels.ts";
import { labelNameSchema } from "../../../model/label-name.ts";
import type { SiteList, SubnetList } from "./answers.ts";
import { type Column, ConfirmedButton, Empty, Heading, PageSteps, Shown, Table } from "./elements.tsx";
import { checked, Field, FormButton, Select, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded, usePages } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { count } from "./texts.ts";

const everyMs = 30_000;
type Reload = () => Promise<void>;

export function SubnetsPage() {
  const words = messages.value.subnets;
  const subnets = usePages<SubnetList>("/v1/subnets?", everyMs);
  const sites = useLoaded<SiteList>("/v1/sites?limit=1000", everyMs);
  const reload: Reload = async () => {
    await Promise.all([subnets.reload(), sites.reload()]);
  };
  const siteNames = sites.data?.sites.map(({ name }) => name) ?? [];
  return (
    <>
      <Heading text={words.title} />
      <Shown loaded={subnets}>
        {({ subnets: rows }) =>
          rows.length === 0 ? (
            <Empty text={words.none} />
          ) : (
            <>
              <Table
                label={words.title}
                rows={rows}
                keyOf={({ id }) => id}
                columns={subnetColumns(siteNames, reload)}
              />
              <PageSteps {...subnets} rows={rows.length} total={null} />
            </>
          )
        }
      </Shown>
      <h2>{words.sites}</h2>
      {may("PUT /v1/sites/:name") && <CreateSite reload={reload} />}
      <Shown loaded={sites}>
        {({ sites: rows }) =>
          rows.length === 0 ? (
            <Empty text={words.noSites} />
          ) : (
            <Table label={words.sites} rows={rows} keyOf={({ name }) => name} columns={siteColumns(reload)} />
          )
        }
      </Shown>
    </>
  );
}

/** Target expression of the page of devices. */
const devicesAt = (target: string): string => addressOf("devices", target);

const nameOfSubnet = ({ name, cidr }: Subnet): string => name ?? cidr;

function subnetColumns(siteNames: readonly string[], reload: Reload): Column<Subnet>[] {
  const words = messages.value.subnets;
  const columns: Column<Subnet>[] = [
    {
      name: words.subnet,
      cell: (subnet) => (
        <a href={devicesAt(`subnet=${subnet.id}`)}>
          {nameOfSubnet(subnet)}
          {subnet.name !== null && <small> {subnet.cidr}</small>}
        </a>
      ),
    },
    { name: words.site, cell: ({ site }) => site ?? "–" },
    {
      name: words.devices,
      cell: ({ devices, connected }) => words.connected(count(connected), count(devices)),
    },
    { name: words.gateway, cell: ({ gateway }) => <code>{gateway || "–"}</code> },
    { name: words.merged, cell: ({ mergedGateways }) => mergedGateways.join(", ") || "–" },
    {
      name: words.way,
      cell: ({ ways }) =>
        ways.map(({ way, devices }) => `${messages.value.ways[way]}: ${count(devices)}`).join(", ") || "–",
    },
  ];
  if (!may("PATCH /v1/subnets/:id")) return columns;
  return [
    ...columns,
    {
      name: messages.value.settingChanges.actions,
      cell: (subnet) => <SubnetActions subnet={subnet} siteNames={siteNames} reload={reload} />,
    },
  ];
}

type SubnetOptions = {
  readonly subnet: Subnet;
  readonly siteNames: readonly string[];
  readonly reload: Reload;
};

function SubnetActions({ subnet, siteNames, reload }: SubnetOptions) {
  const words = messages.value.subnets;
  const path = `/v1/subnets/${subnet.id}`;
  const change = async (data: FormData): Promise<void> => {
    const name = textOf(data, "name");
    const body = {
      name: name === "" ? null : checked("name", labelNameSchema, name),
      site: textOf(data, "site") || null,
    };
    await ask("PATCH", path, body);
    await reload();
  };
  const split = async (): Promise<void> => {
    await ask("POST", `${path}/split`);
    await reload();
  };
  return (
    <div class="buttons">
      <FormButton name={words.change} send={change}>
        <Field name="name" label={words.name} hint={words.nameHint} value={subnet.name ?? ""} />
        <Select
          name="site"
          label={words.site}
          options={[["", words.noSite], ...siteNames.map((name) => [name, name] as const)]}
          value={subnet.site ?? ""}
        />
      </FormButton>
      {subnet.mergedGateways.length > 0 && (
        <ConfirmedButton
          name={words.split}
          question={words.askSplit(nameOfSubnet(subnet))}
          send={split}
          isDangerous
        />
      )}
    </div>
  );
}

function CreateSite({ reload }: { reload: Reload }) {
  const words = messages.value.subnets;
  const create = async (data: FormData): Promise<void> => {
    const name = checked("name", labelNameSchema, textOf(data, "name"));
    await ask("PUT", `/v1/sites/${encodeURIComponent(name)}`);
    await reload();
  };
  return (
    <div class="buttons">
      <FormButton name={words.create} send={create}>
        <Field name="name" label={words.name} />
      </FormButton>
    </div>
  );
}

function siteColumns(reload: Reload): Column<Site>[] {
  const words = messages.value.subnets;
  const columns: Column<Site>[] = [
    {
      name: words.site,
      cell: ({ name }) => <a href={devicesAt(`site=${name}`)}>{name}</a>,
    },
    { name: words.subnetCount, isNumber: true, cell: ({ subnets }) => count(subnets) },
    {
      name: words.devices,
      cell: ({ devices, connected }) => words.connected(count(connected), count(devices)),
    },
  ];
  if (!may("PATCH /v1/sites/:name")) return columns;
  return [
    ...columns,
    {
      name: messages.value.settingChanges.actions,
      cell: (site) => <SiteActions site={site} reload={reload} />,
    },
  ];
}

function SiteActions({ site: { name }, reload }: { site: Site; reload: Reload }) {
  const words = messages.value.subnets;
  const path = `/v1/sites/${encodeURIComponent(name)}`;
  const rename = async (data: FormData): Promise<void> => {
    await ask("PATCH", path, { name: checked("name", labelNameSchema, textOf(data, "name")) });
    await reload();
  };
  const remove = async (): Promise<void> => {
    await ask("DELETE", path);
    await reload();
  };
  return (
    <div class="buttons">
      <FormButton name={words.rename} send={rename}>
        <Field name="name" label={words.name} value={name} />
      </FormButton>
      <ConfirmedButton name={words.remove} question={words.askRemove(name)} send={remove} isDangerous />
    </div>
  );
}
