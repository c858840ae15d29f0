/** Parts of the page of a device: what happened to it, and the packages in its cache. */
import type { DeviceCache, DeviceHistory } from "../../../api/schema/device-detail.ts";
import { eventText, type DeviceEvent } from "../../../model/device-event.ts";
import { Badge, Empty, Moment, Shown, Table } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { count, size } from "./texts.ts";

const everyMs = 10_000;

/** @param path of the device in the API */
export function DeviceCachePart({ path }: { path: string }) {
  const words = messages.value.deviceDetails;
  const loaded = useLoaded<DeviceCache>(`${path}/cache`, everyMs);
  return (
    <section>
      <h2>{words.cache}</h2>
      <Shown loaded={loaded}>
        {({ statedAtMs, packages }) => (
          <>
            {statedAtMs !== null && (
              <p>
                {words.stated} <Moment atMs={statedAtMs} />
              </p>
            )}
            {packages.length === 0 ? <Empty text={words.noCache} /> : <Cached packages={packages} />}
          </>
        )}
      </Shown>
    </section>
  );
}

function Cached({ packages }: Pick<DeviceCache, "packages">) {
  const words = messages.value.deviceDetails;
  const storedBytes = packages.reduce((sum, held) => sum + held.storedBytes, 0);
  return (
    <>
      <Table
        label={words.cache}
        rows={packages}
        keyOf={({ packageId }) => packageId}
        columns={[
          {
            name: messages.value.tasks.package,
            cell: ({ packageId, name, version }) => (
              <a href={addressOf("packages", packageId)}>
                {name} {version}
              </a>
            ),
          },
          {
            name: messages.value.devices.state,
            cell: ({ complete }) => (
              <Badge kind={complete ? "good" : "busy"} text={complete ? words.complete : words.partial} />
            ),
          },
          { name: words.stored, isNumber: true, cell: (held) => size(held.storedBytes) },
          { name: messages.value.task.size, isNumber: true, cell: ({ totalBytes }) => size(totalBytes) },
          { name: words.lastUsed, cell: ({ lastUsedAtMs }) => <Moment atMs={lastUsedAtMs} /> },
        ]}
      />
      <p>{words.cacheTotal(count(packages.length), packages.length, size(storedBytes))}</p>
    </>
  );
}

/** Returns the task of an event; null for an event without one. */
const taskOf = (event: DeviceEvent): number | null => ("taskId" in event ? event.taskId : null);

export function DeviceHistoryPart({ path }: { path: string }) {
  const words = messages.value.deviceDetails;
  const loaded = useLoaded<DeviceHistory>(`${path}/history`, everyMs);
  return (
    <section>
      <h2>{words.history}</h2>
      <Shown loaded={loaded}>
        {({ events }) =>
          events.length === 0 ? <Empty text={words.noHistory} /> : <Events events={events} />
        }
      </Shown>
    </section>
  );
}

function Events({ events }: DeviceHistory) {
  const words = messages.value.deviceDetails;
  // The newest event comes first, and the keys of older ones stay.
  const rows = events.map(({ atMs, event }, index) => ({ atMs, event, key: events.length - index }));
  return (
    <Table
      label={words.history}
      rows={rows}
      keyOf={({ key }) => key}
      columns={[
        { name: words.at, cell: ({ atMs }) => <Moment atMs={atMs} /> },
        {
          name: words.event,
          cell: ({ event }) => {
            const [taskId, text] = [taskOf(event), eventText(event, words.events)];
            return taskId === null ? text : <a href={addressOf("tasks", taskId)}>{text}</a>;
          },
        },
      ]}
    />
  );
}
