/** Preview of a task while its form is filled in: the devices of the target, and the WAN bytes. */
import { useEffect, useState } from "preact/hooks";
import type { TaskCreate, TaskEdit } from "../../../api/schema/admin.ts";
import type { TaskPreview } from "../../../api/schema/labels.ts";
import { Facts, Table } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask, RequestError } from "./request.ts";
import { addressOf } from "./router.ts";
import { count, size } from "./texts.ts";

/** Time without a change after which the source is asked. */
const quietMs = 350;

export type Preview = {
  /** Null until the answer about the current request. */
  readonly data: TaskPreview | null;
  readonly error: RequestError | null;
};

/** Asks for the preview of a request that changes while a person types. */
export function usePreview(request: TaskCreate | TaskEdit | null, path = "/v1/tasks/dry-run"): Preview {
  const key = request === null ? null : JSON.stringify(request);
  const [answer, setAnswer] = useState<Preview & { key: string | null }>({
    key: null,
    data: null,
    error: null,
  });
  useEffect(() => {
    if (key === null) return undefined;
    let isOver = false;
    const load = async (): Promise<void> => {
      const loaded = await previewed(path, JSON.parse(key));
      if (!isOver) setAnswer({ key, ...loaded });
    };
    const timer = setTimeout(() => void load(), quietMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key, path]);
  return answer.key === key && key !== null ? answer : { data: null, error: null };
}

async function previewed(path: string, request: unknown): Promise<Preview> {
  try {
    return { data: await ask<TaskPreview>("POST", path, request), error: null };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { data: null, error };
  }
}

/** Returns the words of a refused target, without the name of the field. */
export function refusalText({ status, message, hint }: RequestError): string {
  if (status === 0) return messages.value.unreachable;
  const what = message.replace(/^Bad body at "[^"]*": /, "");
  return status === 400 || hint === null ? what : `${what}: ${hint}`;
}

/** Number of devices for screen readers and people, and their list on demand. */
export function TargetDevices({ preview }: { preview: TaskPreview | null }) {
  const words = messages.value.wizard;
  return (
    <>
      <p role="status" class="target-count">
        {preview !== null &&
          words.matches(count(preview.devices), preview.devices, count(preview.subnets.length))}
      </p>
      {preview !== null && <Warnings warnings={preview.warnings} />}
      {preview !== null && preview.devices > 0 && (
        <details>
          <summary>{words.showDevices}</summary>
          <DeviceList preview={preview} />
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

function DeviceList({ preview: { deviceList, devicesLeft, subnets } }: { preview: TaskPreview }) {
  const words = messages.value;
  const subnetName = new Map(subnets.map((one) => [one.subnetId, one.name ?? one.cidr]));
  return (
    <>
      <Table
        label={words.task.devices}
        rows={deviceList}
        keyOf={({ deviceId }) => deviceId}
        columns={[
          {
            name: words.task.device,
            cell: ({ deviceId, hostname }) => <a href={addressOf("devices", deviceId)}>{hostname}</a>,
          },
          { name: words.devices.subnet, cell: ({ subnetId }) => subnetName.get(subnetId) || "–" },
          { name: words.devices.online, cell: ({ connected }) => (connected ? words.yes : words.no) },
          { name: words.wizard.holds, cell: ({ holds }) => (holds ? words.yes : words.no) },
        ]}
      />
      {devicesLeft > 0 && <p>{words.wizard.moreDevices(count(devicesLeft))}</p>}
    </>
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
