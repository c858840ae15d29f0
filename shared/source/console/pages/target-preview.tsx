/** Live count of a target while a person types it, and the preview of a task with its WAN bytes. */
import { useEffect, useState } from "preact/hooks";
import type { TaskCreate, TaskEdit } from "../../../api/schema/admin.ts";
import type { TaskPreview } from "../../../api/schema/labels.ts";
import type { DeviceList, TargetCount } from "./answers.ts";
import { namesIn } from "./device-names.ts";
import { Facts, Shown, Table, type Column } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, pageRows, RequestError, useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { count, size } from "./texts.ts";

/** Time without a change after which the source is asked. */
const quietMs = 350;

/** Answer about what a person types; null until the answer about the current text. */
export type Asked<T> = { readonly data: T | null; readonly error: RequestError | null };

/** Asks the source about a key, once it has not changed for a moment; null: asks nothing. */
function useAsked<T>(key: string | null, load: (key: string) => Promise<T>): Asked<T> {
  const [answer, setAnswer] = useState<Asked<T> & { key: string | null }>({
    key: null,
    data: null,
    error: null,
  });
  useEffect(() => {
    if (key === null) return undefined;
    let isOver = false;
    const run = async (): Promise<void> => {
      const loaded = await answered(load(key));
      if (!isOver) setAnswer({ key, ...loaded });
    };
    const timer = setTimeout(() => void run(), quietMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  return answer.key === key && key !== null ? answer : { data: null, error: null };
}

async function answered<T>(request: Promise<T>): Promise<Asked<T>> {
  try {
    return { data: await request, error: null };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { data: null, error };
  }
}

/** Asks for the preview of a request: its devices and WAN bytes. */
export const usePreview = (
  request: TaskCreate | TaskEdit | null,
  path = "/v1/tasks/dry-run",
): Asked<TaskPreview> =>
  useAsked(request === null ? null : JSON.stringify(request), (key) =>
    ask<TaskPreview>("POST", path, JSON.parse(key)),
  );

/** Counts the devices of a target while a person types it. */
export const useTargetCount = (target: string): Asked<TargetCount> =>
  useAsked(target.trim() === "" ? null : target.trim(), (key) =>
    ask<TargetCount>("GET", `/v1/targets/check?target=${encodeURIComponent(key)}`),
  );

/** Returns the words of a refused target, without the name of the field. */
export function refusalText({ status, message, hint }: RequestError): string {
  if (status === 0) return messages.value.unreachable;
  const what = message.replace(/^Bad (?:body|query) at "[^"]*": /, "");
  return status === 400 || hint === null ? what : `${what}: ${hint}`;
}

/** Number of devices for screen readers and people, and their list on demand. */
export function TargetDevices({ counted }: { counted: TargetCount | null }) {
  const words = messages.value.wizard;
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <p role="status" class="target-count">
        {counted !== null && words.matches(count(counted.devices), counted.devices, count(counted.subnets))}
      </p>
      {counted !== null && <Warnings warnings={counted.warnings} />}
      {counted !== null && counted.devices > 0 && (
        <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{words.showDevices}</summary>
          {isOpen && <DeviceTable {...counted} />}
        </details>
      )}
    </>
  );
}

export const Warnings = ({ warnings }: Pick<TaskPreview, "warnings">) =>
  warnings.length === 0 ? null : (
    <ul class="notice">
      {warnings.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );

type ListedDevice = DeviceList["devices"][number];

function deviceColumns(devices: readonly ListedDevice[]): Column<ListedDevice>[] {
  const words = messages.value;
  const nameIn = namesIn(devices, ({ id }) => id);
  return [
    {
      name: words.task.device,
      // Another window keeps what was written in the form.
      cell: (device) => (
        <a href={addressOf("devices", device.id)} target="_blank" rel="noopener">
          {nameIn(device)}
        </a>
      ),
    },
    { name: words.devices.subnet, cell: ({ subnetName }) => subnetName ?? "–" },
    { name: words.devices.online, cell: ({ connected }) => (connected ? words.yes : words.no) },
  ];
}

/** The first page of the devices of a target. */
function DeviceTable({ target, devices: total }: TargetCount) {
  const words = messages.value;
  const path = `/v1/devices?filter=${encodeURIComponent(target)}&limit=${pageRows}`;
  const loaded = useLoaded<DeviceList>(path);
  return (
    <Shown loaded={loaded}>
      {({ devices }) => (
        <>
          <Table
            label={words.task.devices}
            rows={devices}
            keyOf={({ id }) => id}
            columns={deviceColumns(devices)}
          />
          {total > devices.length && <p>{words.wizard.moreDevices(count(total - devices.length))}</p>}
        </>
      )}
    </Shown>
  );
}

/** WAN bytes of a task, in total and for each subnet. */
export function PreviewCost({ preview }: { preview: TaskPreview }) {
  const words = messages.value;
  const wanBytes = preview.packageWanBytes + preview.manifestWanBytes;
  return (
    <>
      <h2>{words.wizard.cost}</h2>
      <Facts
        facts={[
          [words.task.devices, count(preview.devices)],
          ...(preview.taskId === null
            ? []
            : ([
                [words.wizard.added, count(preview.added)],
                [words.wizard.dropped, count(preview.dropped)],
              ] as const)),
          [words.task.lanes, count(preview.subnets.length)],
          [words.task.wan, size(wanBytes)],
        ]}
      />
      {preview.subnets.length > 0 && (
        <Table
          label={words.wizard.cost}
          rows={preview.subnets}
          keyOf={({ subnetId }) => subnetId ?? ""}
          columns={[
            {
              name: words.devices.subnet,
              cell: ({ subnetId, name, cidr }) => (subnetId === null ? words.task.noSubnet : (name ?? cidr)),
            },
            { name: words.device.site, cell: ({ site }) => site ?? "–" },
            { name: words.task.devices, isNumber: true, cell: ({ devices }) => count(devices) },
            { name: words.devices.online, isNumber: true, cell: ({ connected }) => count(connected) },
            { name: words.wizard.holds, isNumber: true, cell: ({ holding }) => count(holding) },
            {
              name: words.task.wan,
              isNumber: true,
              cell: ({ packageWanBytes, manifestWanBytes }) => size(packageWanBytes + manifestWanBytes),
            },
          ]}
        />
      )}
    </>
  );
}
