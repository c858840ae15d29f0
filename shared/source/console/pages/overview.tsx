/** First page: how many devices there are, the open tasks, and what needs a person. */
import type { Device } from "../../../api/schema/device.ts";
import type { TrustView } from "../../../api/schema/trust.ts";
import type { DeviceList, PackageList, TaskList } from "./answers.ts";
import { createTaskLine, enrolLine, publishLine, signLine } from "./command-lines.ts";
import { Command, Empty, Heading, Shown } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { isOpen, TaskTable } from "./task-table.tsx";
import { count } from "./texts.ts";

const tasksEveryMs = 5_000;
/** The list has every device, so it is loaded less often. */
const devicesEveryMs = 60_000;
/** Devices that are named; the others are counted. */
const namedMax = 5;

export function OverviewPage() {
  const words = messages.value;
  const tasks = useLoaded<TaskList>("/v1/tasks", tasksEveryMs);
  const devices = useLoaded<DeviceList>("/v1/devices?filter=all", devicesEveryMs);
  const packages = useLoaded<PackageList>("/v1/packages", devicesEveryMs);
  const trust = useLoaded<TrustView>("/v1/trust", devicesEveryMs);
  return (
    <>
      <Heading text={words.overview.title} />
      <Shown loaded={devices}>
        {({ devices: all }) => (
          <section class="figures">
            <Figure
              page="devices"
              name={words.overview.devices}
              value={count(all.length)}
              more={words.overview.connected(count(all.filter(({ connected }) => connected).length))}
            />
            <Figure
              page="tasks"
              name={words.overview.openTasks}
              value={tasks.data === null ? "–" : count(tasks.data.tasks.filter(isOpen).length)}
            />
            <Figure
              page="packages"
              name={words.overview.packages}
              value={packages.data === null ? "–" : count(packages.data.packages.length)}
            />
          </section>
        )}
      </Shown>
      <Attention tasks={tasks.data} devices={devices.data} trust={trust.data} />
      <section>
        <h2>{words.overview.openTasks}</h2>
        <Shown loaded={tasks}>
          {({ tasks: all }) => {
            const open = all.filter(isOpen);
            if (open.length > 0) return <TaskTable tasks={open} />;
            if (devices.data?.devices.length === 0)
              return <Empty text={words.overview.noDevices} command={enrolLine} />;
            if (packages.data?.packages.length === 0)
              return <Empty text={words.overview.noPackages} command={publishLine} />;
            return <Empty text={words.overview.noTasks} command={createTaskLine} />;
          }}
        </Shown>
      </section>
    </>
  );
}

const Figure = ({
  page,
  name,
  value,
  more,
}: {
  page: string;
  name: string;
  value: string;
  more?: string;
}) => (
  <a class="figure" href={addressOf(page)}>
    <span class="figure-name">{name}</span>
    <span class="figure-value">{value}</span>
    {more !== undefined && <span class="figure-more">{more}</span>}
  </a>
);

type AttentionParts = {
  tasks: TaskList | null;
  devices: DeviceList | null;
  trust: TrustView | null;
};

function Attention({ tasks, devices, trust }: AttentionParts) {
  const words = messages.value.overview;
  if (tasks === null || devices === null || trust === null) return null;
  const failing = tasks.tasks.filter((task) => isOpen(task) && task.devices.failed > 0);
  const held = devices.devices.filter(({ state }) => state === "suspended" || state === "waiting");
  const isQuiet = failing.length === 0 && held.length === 0 && trust.unsigned === 0;
  return (
    <section>
      <h2>{words.attention}</h2>
      {isQuiet && <p>{words.nothing}</p>}
      <ul class="attention">
        {failing.slice(0, namedMax).map((task) => (
          <li key={task.id}>
            <a href={addressOf("tasks", task.id)}>
              {words.failed(count(task.devices.failed), `${task.id}: ${task.packageName}`)}
            </a>
          </li>
        ))}
        {held.slice(0, namedMax).map((device) => (
          <li key={device.id}>
            <a href={addressOf("devices", device.id)}>{words.suspended(nameOf(device))}</a>
          </li>
        ))}
        {held.length > namedMax && <li>{words.moreSuspended(count(held.length - namedMax))}</li>}
        {trust.unsigned > 0 && (
          <li>
            {words.unsigned(count(trust.unsigned))}
            <Command line={signLine} />
          </li>
        )}
      </ul>
    </section>
  );
}

/** Returns the name that people know a device by. */
export const nameOf = ({ name, hostname }: Pick<Device, "name" | "hostname">): string => name ?? hostname;
