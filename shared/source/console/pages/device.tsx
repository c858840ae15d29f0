/** One device: inventory, cache, tasks, history and log; approval and removal. */
import type { Device } from "../../../api/schema/device.ts";
import type { Inventory } from "../../../api/schema/common.ts";
import type { DeviceTasks } from "./answers.ts";
import { DeviceCachePart, DeviceHistoryPart } from "./device-details.tsx";
import { DeviceLogPart } from "./device-log.tsx";
import { approvalCodeText } from "../../../model/approval-code-text.ts";
import { DeviceState, lifeText } from "./device-state.tsx";
import { ConnectedBadge, DeviceSearch, isTarget } from "./devices.tsx";
import { ConfirmedButton, Empty, Facts, Heading, Shown, Table, Time, type Fact } from "./elements.tsx";
import { messages } from "./language.ts";
import { nameOf, subnetOf } from "./device-names.ts";
import { sentenceOf } from "./reasons.ts";
import { ask, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { RenameButton, TagButton } from "./tagging.tsx";
import { size } from "./texts.ts";

const everyMs = 10_000;
const tasksMax = 100;

/** A target expression in the address shows the list of its devices. */
export const DevicePage = ({ id }: { id: string }) =>
  isTarget(id) ? <DeviceSearch target={id} /> : <OneDevice id={id} />;

function OneDevice({ id }: { id: string }) {
  const path = `/v1/devices/${encodeURIComponent(id)}`;
  const device = useLoaded<Device>(path, everyMs);
  const tasksOf = useLoaded<DeviceTasks>(`${path}/tasks?limit=${tasksMax}`, everyMs);
  const words = messages.value.device;
  return (
    <>
      <Heading text={device.data === null ? id : nameOf(device.data)}>
        {device.data && <ConnectedBadge connected={device.data.connected} />}
      </Heading>
      <Shown loaded={device}>
        {(data) => (
          <>
            <Actions device={data} reload={device.reload} />
            <DeviceFacts device={data} />
            {data.inventory !== null && <Interfaces interfaces={data.inventory.interfaces} />}
            <DeviceCachePart path={path} />
          </>
        )}
      </Shown>
      <h2>{words.tasks}</h2>
      <Shown loaded={tasksOf}>
        {({ tasks }) => (tasks.length === 0 ? <Empty text={words.noTasks} /> : <Tasks tasks={tasks} />)}
      </Shown>
      <DeviceHistoryPart path={path} />
      {device.data !== null && device.data.state !== "removed" && (
        <DeviceLogPart path={path} isConnected={device.data.connected} />
      )}
    </>
  );
}

function Actions({ device, reload }: { device: Device; reload: () => Promise<void> }) {
  const words = messages.value.device;
  const path = `/v1/devices/${device.id}`;
  const isHeld = device.state === "suspended" || device.state === "waiting";
  return (
    <div class="buttons">
      {isHeld && may("POST /v1/devices/:device/approve") && (
        <ConfirmedButton
          name={words.approve}
          question={
            device.approvalCode === null
              ? words.askApprove(nameOf(device))
              : words.askApproveCode(approvalCodeText(device.approvalCode))
          }
          send={async () => {
            await ask("POST", `${path}/approve`);
            await reload();
          }}
        />
      )}
      {device.state !== "removed" && may("POST /v1/tags") && (
        <TagButton target={`device=${device.id}`} onChanged={reload} />
      )}
      {device.state !== "removed" && may("PATCH /v1/devices/:device") && (
        <RenameButton device={device} onChanged={reload} />
      )}
      {device.state !== "removed" && may("DELETE /v1/devices/:device") && (
        <ConfirmedButton
          name={words.remove}
          question={words.askRemove(nameOf(device))}
          send={async () => {
            await ask("DELETE", path);
            goTo("devices");
          }}
          isDangerous
        />
      )}
    </div>
  );
}

function DeviceFacts({ device }: { device: Device }) {
  const { device: words, devices: listWords, yes, no } = messages.value;
  const { inventory } = device;
  const ofInventory = ({
    os,
    arch,
    memoryBytes,
    diskFreeBytes,
    cacheBytes,
    onBattery,
  }: Inventory): Fact[] => [
    [listWords.os, `${os}, ${arch}`],
    [words.memory, size(memoryBytes)],
    [words.disk, size(diskFreeBytes)],
    [words.cache, size(cacheBytes)],
    [words.battery, onBattery ? yes : no],
  ];
  const facts: Fact[] = [
    [listWords.state, lifeText(device)],
    ...(device.isImaging ? [[words.isFor, words.imagesOnly] as Fact] : []),
    [words.hostname, device.hostname],
    [words.id, <code>{device.id}</code>],
    [words.version, device.agentVersion],
    [words.setting, device.setting],
    [listWords.tags, device.tags.join(", ") || messages.value.none],
    [listWords.subnet, subnetOf(device)],
    [words.site, device.site ?? "–"],
    [words.enrolled, <Time atMs={device.enrolledAtMs} />],
    [listWords.lastSeen, <Time atMs={device.lastSeenAtMs} />],
    ...(inventory === null ? [] : ofInventory(inventory)),
  ];
  return <Facts facts={facts} />;
}

function Interfaces({ interfaces }: Pick<Inventory, "interfaces">) {
  const words = messages.value.device;
  return (
    <section>
      <h2>{words.interfaces}</h2>
      <Table
        label={words.interfaces}
        rows={interfaces}
        keyOf={({ name, address }) => `${name} ${address}`}
        columns={[
          { name: messages.value.devices.name, cell: ({ name }) => name },
          { name: words.address, cell: ({ address }) => address },
          { name: messages.value.devices.subnet, cell: ({ cidr }) => cidr },
          { name: words.mac, cell: ({ mac }) => mac || "–" },
          { name: words.medium, cell: ({ medium }) => medium },
          { name: words.used, cell: ({ active }) => (active ? messages.value.yes : messages.value.no) },
        ]}
      />
    </section>
  );
}

function Tasks({ tasks }: DeviceTasks) {
  const words = messages.value;
  return (
    <Table
      label={words.device.tasks}
      rows={tasks}
      keyOf={({ taskId }) => taskId}
      columns={[
        {
          name: words.tasks.id,
          cell: ({ taskId, packageName, packageVersion }) => (
            <a href={addressOf("tasks", taskId)}>
              {taskId}: {packageName} {packageVersion}
            </a>
          ),
        },
        { name: words.devices.state, cell: ({ state }) => <DeviceState state={state} /> },
        { name: words.tasks.action, cell: ({ action }) => words.actions[action] },
        { name: words.device.reported, cell: ({ updatedAtMs }) => <Time atMs={updatedAtMs} /> },
        { name: words.task.reason, cell: ({ reasons }) => sentenceOf(reasons) },
      ]}
    />
  );
}
