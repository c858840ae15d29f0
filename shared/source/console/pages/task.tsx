/**
 * One task while it runs: a lane for each subnet, and the devices. The source is asked again every
 * 2 seconds. Lanes and unfinished devices of a large task are read a page at a time.
 */
import type { TaskDetail, TaskDevice, TaskSubnet } from "../../../api/schema/admin.ts";
import type { TaskDeviceList, TaskSubnetList } from "./answers.ts";
import { DeviceState } from "./device-state.tsx";
import {
  Badge,
  Bar,
  Empty,
  Facts,
  Heading,
  Output,
  PageSteps,
  Shown,
  Table,
  Time,
  type Column,
  type Fact,
} from "./elements.tsx";
import { messages } from "./language.ts";
import { namesIn } from "./device-names.ts";
import { sentenceOf } from "./reasons.ts";
import { useLoaded, usePages, type Loaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { WaitsFor } from "./signing/waits-for.tsx";
import { TaskActions } from "./task-actions.tsx";
import { TaskCourse } from "./task-course.tsx";
import { TaskWakes } from "./task-wakes.tsx";
import { isOpen, TaskState } from "./task-table.tsx";
import { count, size, rate, percent } from "./texts.ts";

const everyMs = 2_000;
/** Largest task whose devices are all listed. */
const wholeListMax = 500;
/** Devices whose output of the command is shown, the failed ones first. */
const outputsMax = 10;
/** Lanes of one page. */
const lanesMax = 50;

/** A task whose devices are not yet counted may have any number of them. */
const isLargeTask = ({ devices, countedAtMs }: TaskDetail): boolean =>
  devices.total > wholeListMax || countedAtMs === null;

const nameOfPackage = ({ packageName, packageVersion }: TaskDetail): string =>
  `${packageName} ${packageVersion}`;

export function TaskPage({ id }: { id: string }) {
  const words = messages.value;
  const loaded = useTask(id);
  const task = loaded.data;
  const isLarge = task !== null && isLargeTask(task);
  return (
    <>
      <Heading
        text={task === null ? words.tasks.one(id) : words.tasks.ofPackage(task.id, nameOfPackage(task))}
      >
        {task && <TaskState task={task} />}
        {task && isOpen(task) && <small>{words.task.live}</small>}
      </Heading>
      <Shown loaded={loaded}>
        {(shown) => (
          <>
            <TaskActions task={shown} reload={loaded.reload} />
            {!shown.isSigned && isOpen(shown) && <WaitsFor />}
            <TaskFacts task={shown} isLarge={isLarge} />
            {isLarge ? <PagedParts task={shown} /> : <WholeParts task={shown} />}
            {shown.wakes && <TaskWakes id={shown.id} />}
          </>
        )}
      </Shown>
    </>
  );
}

function WholeParts({ task }: { task: TaskDetail }) {
  const words = messages.value.task;
  return (
    <>
      <h2>{words.lanes}</h2>
      {task.subnets.length === 0 && <Empty text={words.noDevices} />}
      <Lanes subnets={task.subnets} devices={task.deviceList} />
      <TaskCourse id={task.id} isLive={isOpen(task)} />
      <Devices id={task.id} devices={task.deviceList} isLarge={false} />
    </>
  );
}

/** Lanes and devices of a large task: the cost of a page does not grow with the task. */
function PagedParts({ task }: { task: TaskDetail }) {
  const path = `/v1/tasks/${task.id}`;
  const lanes = usePages<TaskSubnetList>(`${path}/subnets?`, everyMs, lanesMax);
  const devices = usePages<TaskDeviceList>(`${path}/devices?devices=unfinished`, everyMs);
  return (
    <>
      <h2>{messages.value.task.lanes}</h2>
      <Shown loaded={lanes}>
        {({ subnets }) => (
          <>
            <Lanes subnets={subnets} devices={devices.data?.devices ?? []} />
            <PageSteps {...lanes} rows={subnets.length} total={null} />
          </>
        )}
      </Shown>
      <Shown loaded={devices}>
        {({ devices: listed }) => (
          <>
            <Devices id={task.id} devices={listed} isLarge />
            <PageSteps {...devices} rows={listed.length} total={null} />
          </>
        )}
      </Shown>
    </>
  );
}

/** Loads a task: first without its devices, which shows how many there are. */
function useTask(id: string): Loaded<TaskDetail> {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const first = useLoaded<TaskDetail>(`${path}?devices=none`);
  const list = first.data !== null && isLargeTask(first.data) ? "none" : "all";
  const detail = useLoaded<TaskDetail>(first.data === null ? null : `${path}?devices=${list}`, everyMs);
  if (first.data === null) return first;
  return list === "none" ? { ...detail, data: detail.data ?? first.data } : detail;
}

function TaskFacts({ task, isLarge }: { task: TaskDetail; isLarge: boolean }) {
  const words = messages.value;
  const { complete, total } = task.devices;
  const share = words.tasks.ofTotal(count(complete), count(total));
  const verifiedBytes = task.subnets.reduce((sum, { bytesVerified }) => sum + bytesVerified, 0);
  const allBytes = task.subnets.reduce((sum, { bytesTotal }) => sum + bytesTotal, 0);
  const verified = `${words.task.verified}: ${percent(verifiedBytes / Math.max(1, allBytes))}`;
  const runs = task.command ?? task.run;
  const facts: Fact[] = [
    [words.tasks.package, <a href={addressOf("packages", task.packageId)}>{nameOfPackage(task)}</a>],
    [words.task.size, size(task.packageBytes)],
    [words.tasks.action, words.actions[task.action]],
    ...(runs === null ? [] : ([[words.task.command, <code>{runs}</code>]] as const)),
    [words.tasks.target, <code>{task.target}</code>],
    [words.tasks.progress, share],
    [words.tasks.failed, count(task.devices.failed)],
    [words.tasks.start, <Time atMs={task.startAtMs} />],
    [words.task.expires, <Time atMs={task.expiresAtMs} />],
    [words.task.setting, task.setting ?? words.task.ownSetting],
  ];
  return (
    <>
      <p class="share">
        {isLarge ? (
          <Bar value={complete} max={total} label={`${words.tasks.progress}: ${share}`} />
        ) : (
          <>
            <Bar value={verifiedBytes} max={allBytes} label={verified} />
            <span>{verified}</span>
          </>
        )}
      </p>
      <Facts facts={facts} />
    </>
  );
}

const isOver = ({ complete, devices }: TaskSubnet): number => (complete === devices ? 1 : 0);
const isUnfinished = ({ state }: TaskDevice): boolean => state !== "complete";

type LaneParts = { subnets: readonly TaskSubnet[]; devices: readonly TaskDevice[] };

/** Unfinished subnets are first, so that they are shown among many. */
function Lanes({ subnets, devices }: LaneParts) {
  const bySubnet = Map.groupBy(devices, ({ subnetId }) => subnetId);
  const shown = subnets.toSorted((a, b) => isOver(a) - isOver(b)).slice(0, lanesMax);
  return (
    <div class="lanes">
      {shown.map((subnet) => (
        <Lane key={subnet.subnetId} subnet={subnet} devices={bySubnet.get(subnet.subnetId) ?? []} />
      ))}
    </div>
  );
}

/** Returns devices whose states explain a subnet: the representative, and one of the others. */
function explaining(subnet: TaskSubnet, devices: readonly TaskDevice[]): readonly TaskDevice[] {
  const representative = devices.find(({ deviceId }) => deviceId === subnet.representative?.deviceId);
  const others = devices.filter((device) => device !== representative);
  const other = others.find(isUnfinished) ?? others[0];
  return [representative, other].filter((device) => device !== undefined);
}

/** Returns what a device is called; a representative may be known by its host name only. */
type Naming = (one: Pick<TaskDevice, "deviceId" | "hostname">) => string;

/** Names all devices at once: a table has a text with names in each row. */
function namingOf(devices: readonly TaskDevice[]): Naming {
  const nameIn = namesIn(devices, ({ deviceId }) => deviceId);
  const names = new Map(devices.map((device) => [device.deviceId, nameIn(device)]));
  return ({ deviceId, hostname }) => names.get(deviceId) ?? hostname;
}

/** Returns a text with the names of devices in place of their ids. */
const withNames = (text: string, nameOf: Naming): string =>
  text.replace(/\b[0-9a-f]{16}\b/, (id) => nameOf({ deviceId: id, hostname: id }));

function Lane({ subnet, devices }: { subnet: TaskSubnet; devices: readonly TaskDevice[] }) {
  const words = messages.value.task;
  const nameOf = namingOf(devices);
  const name = subnet.name ?? subnet.cidr;
  const title = subnet.subnetId === null ? words.noSubnet : words.lane(name);
  const share = subnet.bytesTotal === 0 ? 1 : subnet.bytesVerified / subnet.bytesTotal;
  const isRunning = subnet.complete < subnet.devices;
  const peers = subnet.devices - (subnet.representative === null ? 0 : 1);
  const facts: Fact[] = [
    [
      words.representative,
      subnet.representative === null ? (
        words.noRepresentative
      ) : (
        <a href={addressOf("devices", subnet.representative.deviceId)}>{nameOf(subnet.representative)}</a>
      ),
    ],
    [words.peers, count(peers)],
    [words.phase, <DeviceState state={subnet.state} />],
    ...(isRunning ? ([[words.rate, rate(subnet.rateBps)]] as const) : []),
    [words.wan, size(subnet.wanBytes)],
    [words.lan, size(subnet.lanBytes)],
  ];
  const verified = `${words.verified}: ${percent(share)}`;
  return (
    <section class="lane" aria-label={title}>
      <h3>
        {title}
        {subnet.site !== null && <small> · {subnet.site}</small>}
      </h3>
      <p class="share">
        <Bar value={subnet.bytesVerified} max={subnet.bytesTotal} label={verified} />
        <span>{percent(share)}</span>
      </p>
      <Facts facts={facts} />
      <ul class="reasons">
        {explaining(subnet, devices).map((device) => (
          <li key={device.deviceId}>
            <strong>{nameOf(device)}</strong> <Why device={device} nameOf={nameOf} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Way and reason in words. */
function Why({ device: { way, reasons }, nameOf }: { device: TaskDevice; nameOf: Naming }) {
  return (
    <>
      {way !== "none" && <Badge kind="quiet" text={messages.value.ways[way]} />}{" "}
      <span>{withNames(sentenceOf(reasons), nameOf)}</span>
    </>
  );
}

const origins = ["wan", "multicast", "peers", "cache"] as const;

/** Returns the bytes by origin, without origins that gave none. */
const receivedText = (from: TaskDevice["from"]): string =>
  origins
    .filter((origin) => from[origin] > 0)
    .map((origin) => `${messages.value.task.from[origin]} ${size(from[origin])}`)
    .join(", ") || "–";

function deviceColumns(nameOf: Naming): Column<TaskDevice>[] {
  const words = messages.value.task;
  return [
    {
      name: words.device,
      cell: (device) => <a href={addressOf("devices", device.deviceId)}>{nameOf(device)}</a>,
    },
    {
      name: messages.value.devices.state,
      cell: ({ state, connected }) => (
        <>
          <DeviceState state={state} /> {!connected && <small>{words.offline}</small>}
        </>
      ),
    },
    {
      name: words.verified,
      isNumber: true,
      cell: ({ bytesVerified, bytesTotal }) => percent(bytesTotal === 0 ? 1 : bytesVerified / bytesTotal),
    },
    {
      name: words.rate,
      isNumber: true,
      cell: ({ rateBps, state }) => (state === "complete" ? "–" : rate(rateBps)),
    },
    {
      name: words.received,
      cell: ({ from }) => receivedText(from),
    },
    { name: words.reason, cell: (device) => <Why device={device} nameOf={nameOf} /> },
  ];
}

type DevicesOptions = { id: number; devices: readonly TaskDevice[]; isLarge: boolean };

function Devices({ id, devices, isLarge }: DevicesOptions) {
  const words = messages.value.task;
  const nameOf = namingOf(devices);
  const outputs = devices
    .filter(({ command }) => command !== null && command.outputTail !== "")
    .toSorted((a, b) => Number(b.state === "failed") - Number(a.state === "failed"));
  return (
    <section>
      <h2>{words.devices}</h2>
      {isLarge && <p>{devices.length === 0 ? words.allDone : words.unfinishedOnly}</p>}
      {devices.length > 0 && (
        <Table
          label={words.devices}
          rows={devices}
          keyOf={({ deviceId }) => deviceId}
          columns={deviceColumns(nameOf)}
        />
      )}
      {outputs.slice(0, outputsMax).map((device) => (
        <details key={device.deviceId}>
          <summary>{words.outputOf(nameOf(device))}</summary>
          <Output text={device.command!.outputTail} />
        </details>
      ))}
      {outputs.length > outputsMax && <p>{words.moreOutputs(count(outputs.length - outputsMax), id)}</p>}
    </section>
  );
}
