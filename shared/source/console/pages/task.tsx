/**
 * One task while it runs: a lane for each subnet, and the devices. The source is asked again every
 * 2 seconds, and lists the devices of a large task only if they are not complete.
 */
import type { TaskDetail, TaskDevice, TaskSubnet } from "../../../api/schema/admin.ts";
import { reasonsText } from "../../../model/reason.ts";
import {
  Badge,
  Bar,
  Command,
  ConfirmedButton,
  Empty,
  Facts,
  Heading,
  Shown,
  Table,
  Time,
  type Column,
  type Fact,
} from "./elements.tsx";
import { messages } from "./language.ts";
import { nameOf } from "./overview.tsx";
import { ask, useLoaded, type Loaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { retryAsked, startNowAsked } from "./signing/asked.ts";
import { signChange } from "./signing/sign-orders.ts";
import { WaitsFor } from "./signing/waits-for.tsx";
import { isOpen, TaskState } from "./task-table.tsx";
import { count, size, rate, percent } from "./texts.ts";

const everyMs = 2_000;
/** Largest task whose devices are all listed. */
const wholeListMax = 500;
/** Lanes in the page; a task of more subnets shows the unfinished ones first. */
const lanesMax = 50;

export function TaskPage({ id }: { id: string }) {
  const words = messages.value;
  const loaded = useTask(id);
  const task = loaded.data;
  const isLarge = task !== null && task.devices.total > wholeListMax;
  return (
    <>
      <Heading text={words.tasks.one(id)}>
        {task && <TaskState state={task.state} />}
        {task && isOpen(task) && <small>{words.task.live}</small>}
      </Heading>
      <Shown loaded={loaded}>
        {(shown) => (
          <>
            <Actions task={shown} loaded={loaded} />
            {!shown.isSigned && isOpen(shown) && <WaitsFor />}
            <TaskFacts task={shown} />
            <h2>{words.task.lanes}</h2>
            {shown.subnets.length === 0 && <Empty text={words.task.noDevices} />}
            <Lanes subnets={shown.subnets} devices={shown.deviceList} />
            <Devices devices={shown.deviceList} isLarge={isLarge} />
          </>
        )}
      </Shown>
    </>
  );
}

/** Loads a task: first without most devices, which shows how many there are. */
function useTask(id: string): Loaded<TaskDetail> {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const first = useLoaded<TaskDetail>(`${path}?devices=failed`);
  const total = first.data?.devices.total ?? null;
  const list = total !== null && total > wholeListMax ? "unfinished" : "all";
  const detail = useLoaded<TaskDetail>(total === null ? null : `${path}?devices=${list}`, everyMs);
  return total === null ? first : { ...detail, data: detail.data ?? first.data };
}

function Actions({ task, loaded: { reload } }: { task: TaskDetail; loaded: Loaded<TaskDetail> }) {
  const words = messages.value.task;
  const change = (verb: string) => async (): Promise<void> => {
    const answer = await ask<{ isSigned?: boolean }>("POST", `/v1/tasks/${task.id}/${verb}`);
    const asked = verb === "start-now" ? startNowAsked : verb === "retry" ? retryAsked : null;
    const subject = { kind: "task", subject: String(task.id) } as const;
    try {
      if (answer.isSigned === false && asked !== null) await signChange(subject, asked);
    } finally {
      await reload();
    }
  };
  const mayDo = (verb: string): boolean => isOpen(task) && may(`POST /v1/tasks/:id/${verb}`);
  const failed = count(task.devices.failed);
  return (
    <div class="buttons">
      {task.state === "scheduled" && mayDo("start-now") && (
        <ConfirmedButton name={words.startNow} question={words.askStartNow} send={change("start-now")} />
      )}
      {task.devices.failed > 0 && mayDo("retry") && (
        <ConfirmedButton name={words.retryFailed} question={words.askRetry(failed)} send={change("retry")} />
      )}
      {task.state === "paused"
        ? mayDo("resume") && (
            <ConfirmedButton name={words.resume} question={words.askResume} send={change("resume")} />
          )
        : mayDo("pause") && (
            <ConfirmedButton name={words.pause} question={words.askPause} send={change("pause")} />
          )}
      {mayDo("cancel") && (
        <ConfirmedButton
          name={words.cancelTask}
          question={words.askCancel}
          send={change("cancel")}
          isDangerous
        />
      )}
    </div>
  );
}

function TaskFacts({ task }: { task: TaskDetail }) {
  const words = messages.value;
  const { complete, total } = task.devices;
  const share = words.tasks.ofTotal(count(complete), count(total));
  const verifiedBytes = task.subnets.reduce((sum, { bytesVerified }) => sum + bytesVerified, 0);
  const allBytes = task.subnets.reduce((sum, { bytesTotal }) => sum + bytesTotal, 0);
  const verified = `${words.task.verified}: ${percent(verifiedBytes / Math.max(1, allBytes))}`;
  const runs = task.command ?? task.run;
  const facts: Fact[] = [
    [
      words.tasks.package,
      <a href={addressOf("packages", task.packageId)}>
        {task.packageName} {task.packageVersion}
      </a>,
    ],
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
      <Bar value={verifiedBytes} max={allBytes} label={verified} />
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

/** Returns the name of a representative, which the lane knows by its host name. */
const nameIn = (devices: readonly TaskDevice[], one: { deviceId: string; hostname: string }): string =>
  nameOf(devices.find(({ deviceId }) => deviceId === one.deviceId) ?? { name: null, hostname: one.hostname });

/** Returns a text with the names of devices in place of their ids. */
const withNames = (text: string, devices: readonly TaskDevice[]): string =>
  text.replace(/\b[0-9a-f]{16}\b/, (id) => nameIn(devices, { deviceId: id, hostname: id }));

function Lane({ subnet, devices }: { subnet: TaskSubnet; devices: readonly TaskDevice[] }) {
  const words = messages.value.task;
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
        <a href={addressOf("devices", subnet.representative.deviceId)}>
          {nameIn(devices, subnet.representative)}
        </a>
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
            <strong>{nameOf(device)}</strong> <Why device={device} among={devices} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Way and reason in words. The words of reasons are English in every language. */
function Why({ device: { way, reasons }, among }: { device: TaskDevice; among: readonly TaskDevice[] }) {
  return (
    <>
      {way !== "none" && <Badge kind="quiet" text={messages.value.ways[way]} />}{" "}
      <span lang="en">{withNames(reasonsText(reasons), among)}</span>
    </>
  );
}

const busyStates: ReadonlySet<TaskDevice["state"]> = new Set([
  "downloading",
  "receiving",
  "repairing",
  "verifying",
  "running",
]);

export function DeviceState({ state }: { state: TaskDevice["state"] }) {
  const kind =
    state === "complete" ? "good" : state === "failed" ? "bad" : busyStates.has(state) ? "busy" : "quiet";
  return <Badge kind={kind} text={messages.value.deviceStates[state]} />;
}

const origins = ["wan", "multicast", "peers", "cache"] as const;

/** Returns the bytes by origin, without origins that gave none. */
const receivedText = (from: TaskDevice["from"]): string =>
  origins
    .filter((origin) => from[origin] > 0)
    .map((origin) => `${messages.value.task.from[origin]} ${size(from[origin])}`)
    .join(", ") || "–";

function deviceColumns(devices: readonly TaskDevice[]): Column<TaskDevice>[] {
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
    { name: words.reason, cell: (device) => <Why device={device} among={devices} /> },
  ];
}

function Devices({ devices, isLarge }: { devices: readonly TaskDevice[]; isLarge: boolean }) {
  const words = messages.value.task;
  const failed = devices.find(({ command }) => command !== null && command.outputTail !== "");
  return (
    <section>
      <h2>{words.devices}</h2>
      {isLarge && <p>{devices.length === 0 ? words.allDone : words.unfinishedOnly}</p>}
      {devices.length > 0 && (
        <Table
          label={words.devices}
          rows={devices}
          keyOf={({ deviceId }) => deviceId}
          columns={deviceColumns(devices)}
        />
      )}
      {failed?.command && (
        <details>
          <summary>
            {words.command}: {nameOf(failed)}
          </summary>
          <Command line={failed.command.outputTail} />
        </details>
      )}
    </section>
  );
}
