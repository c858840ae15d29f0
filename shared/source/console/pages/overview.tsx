/** First page: how many devices there are, the open tasks, and what needs a person. */
import type { TrustView } from "../../../api/schema/trust.ts";
import type { DeviceList, Overview, PackageList, TargetCount, TaskList } from "./answers.ts";
import { createTaskStep, enrolStep, publishStep, signLine } from "./command-lines.ts";
import { approvalCodeText } from "../../../model/approval-code-text.ts";
import { nameOf } from "./device-names.ts";
import { Command, Empty, Heading, Shown } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded, type Loaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { TaskTable } from "./task-table.tsx";
import { count } from "./texts.ts";

const tasksEveryMs = 5_000;
const numbersEveryMs = 10_000;
const devicesEveryMs = 60_000;
/** Devices that are named; the others are counted. */
const namedMax = 5;

export function OverviewPage() {
  const words = messages.value;
  const tasks = useLoaded<TaskList>("/v1/tasks?state=open&sort=-id&limit=100", tasksEveryMs);
  const numbers = useNumbers();
  const trust = useLoaded<TrustView>("/v1/trust", devicesEveryMs);
  return (
    <>
      <Heading text={words.overview.title} />
      <Shown loaded={numbers}>
        {({ devices, connected, packages, openTasks }) => (
          <section class="figures">
            <Figure
              page="devices"
              name={words.overview.devices}
              value={count(devices)}
              more={words.overview.connected(count(connected))}
            />
            <Figure page="tasks" name={words.overview.openTasks} value={count(openTasks)} />
            <Figure page="packages" name={words.overview.packages} value={count(packages)} />
          </section>
        )}
      </Shown>
      <Attention tasks={tasks.data} trust={trust.data} />
      <section>
        <h2>{words.overview.openTasks}</h2>
        <Shown loaded={tasks}>
          {({ tasks: all }) => {
            if (all.length > 0) return <TaskTable tasks={all} />;
            if (numbers.data?.devices === 0)
              return <Empty text={words.overview.noDevices} next={enrolStep()} />;
            if (numbers.data?.packages === 0)
              return <Empty text={words.packages.none} next={publishStep()} />;
            return <Empty text={words.overview.noTasks} next={createTaskStep()} />;
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

type Numbers = Pick<Overview, "devices" | "connected" | "packages" | "openTasks">;

/** Loads the numbers of the whole source, or of the person's scope. */
function useNumbers(): Loaded<Numbers> {
  const seesAll = may("GET /v1/overview");
  const whole = useLoaded<Overview>(seesAll ? "/v1/overview" : null, numbersEveryMs);
  const own = (path: string): string | null => (seesAll ? null : path);
  const devices = useLoaded<TargetCount>(own("/v1/targets/check?target=all"), numbersEveryMs);
  const tasks = useLoaded<TaskList>(own("/v1/tasks?state=open&limit=1000"), numbersEveryMs);
  const packages = useLoaded<PackageList>(own("/v1/packages?limit=1000"), numbersEveryMs);
  if (seesAll) return whole;
  const error = devices.error ?? tasks.error ?? packages.error;
  if (devices.data === null || tasks.data === null || packages.data === null)
    return { data: null, error, reload: devices.reload };
  const { data } = devices;
  const numbers = {
    devices: data.devices,
    connected: data.connected,
    packages: packages.data.packages.length,
    openTasks: tasks.data.tasks.length,
  };
  return { data: numbers, error, reload: devices.reload };
}

function Attention({ tasks, trust }: { tasks: TaskList | null; trust: TrustView | null }) {
  const words = messages.value.overview;
  const waiting = useLoaded<DeviceList>("/v1/devices?state=waiting&limit=100", devicesEveryMs);
  const suspended = useLoaded<DeviceList>("/v1/devices?state=suspended&limit=100", devicesEveryMs);
  if (tasks === null || waiting.data === null || suspended.data === null || trust === null) return null;
  const failing = tasks.tasks.filter((task) => task.devices.failed > 0);
  const held = [...waiting.data.devices, ...suspended.data.devices];
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
            <a href={addressOf("devices", device.id)}>
              {device.approvalCode === null
                ? words.suspended(nameOf(device))
                : words.pending(nameOf(device), approvalCodeText(device.approvalCode))}
            </a>
          </li>
        ))}
        {held.length > namedMax && <li>{words.moreSuspended(count(held.length - namedMax))}</li>}
        {trust.unsigned > 0 && (
          <li>
            {words.unsigned(count(trust.unsigned))}
            {may("POST /v1/trust/orders") && <Command line={signLine()} />}
          </li>
        )}
      </ul>
    </section>
  );
}
