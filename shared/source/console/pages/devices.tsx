/** List of devices, and their search by the target expression. */
import { useState } from "preact/hooks";
import type { Device } from "../../../api/schema/device.ts";
import type { DeviceList, TargetCount } from "./answers.ts";
import { Badge, Empty, Heading, PageSteps, Shown, Table, type Column } from "./elements.tsx";
import { messages } from "./language.ts";
import { lifeText } from "./device-state.tsx";
import { namesIn, subnetOf } from "./device-names.ts";
import { useLoaded, usePages } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { TagButton } from "./tagging.tsx";
import { ago, count } from "./texts.ts";

const everyMs = 30_000;

/** Target expressions have signs that ids do not have. */
export const isTarget = (id: string): boolean => /[=*() ]/.test(id);

export const DevicesPage = () => <DeviceSearch target="all" />;

/** @param target target expression to begin with */
export function DeviceSearch({ target }: { target: string }) {
  const words = messages.value.devices;
  const [filter, setFilter] = useState(target);
  const devices = usePages<DeviceList>(`/v1/devices?filter=${encodeURIComponent(filter)}`, everyMs);
  const counted = useLoaded<TargetCount>(`/v1/targets/check?target=${encodeURIComponent(filter)}`, everyMs);
  const total = counted.data?.devices ?? null;
  const search = (event: SubmitEvent): void => {
    event.preventDefault();
    const wanted = new FormData(event.currentTarget as HTMLFormElement).get("filter");
    setFilter(String(wanted ?? "").trim() || "all");
  };
  return (
    <>
      <Heading text={words.title} />
      <form class="search" role="search" onSubmit={search}>
        <label>
          {words.filter}
          <input
            name="filter"
            type="search"
            defaultValue={filter}
            spellcheck={false}
            autocapitalize="none"
            aria-describedby="filter-hint"
          />
        </label>
        <button type="submit">{words.search}</button>
        <small id="filter-hint">{words.filterHint}</small>
      </form>
      <Shown loaded={devices}>
        {({ devices: found }) =>
          found.length === 0 ? (
            <Empty text={words.none} />
          ) : (
            <>
              {total !== null && <p role="status">{words.count(count(total), total)}</p>}
              {may("POST /v1/tags") && (
                <div class="buttons">
                  <TagButton target={filter} onChanged={devices.reload} />
                </div>
              )}
              <Table label={words.title} rows={found} keyOf={({ id }) => id} columns={columns(found)} />
              <PageSteps {...devices} rows={found.length} total={total} />
            </>
          )
        }
      </Shown>
    </>
  );
}

export function ConnectedBadge({ connected }: Pick<Device, "connected">) {
  const { online } = messages.value.devices;
  return (
    <Badge kind={connected ? "good" : "quiet"} text={connected ? online : messages.value.task.offline} />
  );
}

function columns(found: readonly Device[]): Column<Device>[] {
  const words = messages.value.devices;
  const nowMs = Date.now();
  const nameIn = namesIn(found, ({ id }) => id);
  return [
    { name: words.name, cell: (device) => <a href={addressOf("devices", device.id)}>{nameIn(device)}</a> },
    {
      name: words.online,
      cell: (device) =>
        device.state === "active" ? (
          <ConnectedBadge connected={device.connected} />
        ) : (
          <Badge kind="bad" text={lifeText(device)} />
        ),
    },
    { name: words.os, cell: ({ inventory }) => inventory?.os ?? "–" },
    { name: words.tags, cell: ({ tags }) => tags.join(", ") || "–" },
    {
      name: words.subnet,
      cell: ({ subnetName, inventory, site }) =>
        [subnetOf({ subnetName, inventory }), site].filter((part) => part !== null).join(", "),
    },
    {
      name: words.lastSeen,
      cell: ({ lastSeenAtMs }) => (
        <time dateTime={new Date(lastSeenAtMs).toISOString()}>{ago(lastSeenAtMs, nowMs)}</time>
      ),
    },
  ];
}
