/** Tags of the devices that a target expression matches, and the name of one device. */
import type { Device } from "../../../api/schema/device.ts";
import type { Tagged } from "../../../api/schema/labels.ts";
import { Shown } from "./elements.tsx";
import { atField, DialogButton, Field, FieldError, Form, FormButton, namesOf, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { nameOf } from "./device-names.ts";
import { ask, useLoaded } from "./request.ts";
import type { DeviceList, TargetCount } from "./answers.ts";
import { count } from "./texts.ts";

/** Devices that the preview names. */
const namedMax = 20;
type Options = {
  /** Target expression. */
  readonly target: string;
  readonly onChanged: () => Promise<void>;
};

export function TagButton({ target, onChanged }: Options) {
  const words = messages.value.tagging;
  const send = async (data: FormData): Promise<void> => {
    const [add, remove] = [namesOf(data, "add"), namesOf(data, "remove")];
    if (add.length + remove.length === 0) throw new FieldError("add", words.nothing);
    await atField("add", ask<Tagged>("POST", "/v1/tags", { devices: target, add, remove }));
    await onChanged();
  };
  return (
    <DialogButton name={words.change}>
      {(close) => (
        <>
          <Preview target={target} />
          <Form submit={words.change} send={send} close={close}>
            <Field name="add" label={words.add} hint={words.hint} />
            <Field name="remove" label={words.remove} hint={words.hint} />
          </Form>
        </>
      )}
    </DialogButton>
  );
}

/** The devices that the change concerns, by name. */
function Preview({ target }: { target: string }) {
  const words = messages.value.tagging;
  const devices = useLoaded<DeviceList>(`/v1/devices?filter=${encodeURIComponent(target)}&limit=${namedMax}`);
  const counted = useLoaded<TargetCount>(`/v1/targets/check?target=${encodeURIComponent(target)}`);
  return (
    <Shown loaded={counted}>
      {({ devices: total }) => (
        <>
          <p role="status">{words.preview(count(total), target)}</p>
          <ul class="plain">
            {devices.data?.devices.map((device) => (
              <li key={device.id}>
                {nameOf(device)}: {device.tags.join(", ") || "–"}
              </li>
            ))}
            {total > namedMax && <li>{words.more(count(total - namedMax))}</li>}
          </ul>
        </>
      )}
    </Shown>
  );
}

export function RenameButton({ device, onChanged }: { device: Device; onChanged: () => Promise<void> }) {
  const words = messages.value.tagging;
  const send = async (data: FormData): Promise<void> => {
    const name = textOf(data, "name") || null;
    await atField("name", ask<Device>("PATCH", `/v1/devices/${device.id}`, { name }));
    await onChanged();
  };
  return (
    <FormButton name={words.rename} send={send}>
      <Field name="name" label={words.name} hint={words.nameHint} value={device.name ?? ""} />
    </FormButton>
  );
}
