/** Devices of a task that were to be woken: by whom, and whether they woke. */
import type { TaskWake, TaskWakeList } from "../../../api/schema/wakes.ts";
import { Empty, PageSteps, Shown, Table, type Column } from "./elements.tsx";
import { messages } from "./language.ts";
import { sentenceOf } from "./reasons.ts";
import { usePages } from "./request.ts";
import { addressOf } from "./router.ts";
import { count } from "./texts.ts";

const everyMs = 5_000;

export function TaskWakes({ id }: { id: number }) {
  const words = messages.value.wakes;
  const loaded = usePages<TaskWakeList>(`/v1/tasks/${id}/wakes?`, everyMs);
  return (
    <section>
      <h2>{words.title}</h2>
      <Shown loaded={loaded}>
        {({ wakes }) =>
          wakes.length === 0 ? (
            <Empty text={words.none} />
          ) : (
            <>
              <Table
                label={words.title}
                rows={wakes}
                keyOf={({ deviceId }) => deviceId}
                columns={columns()}
              />
              <PageSteps {...loaded} rows={wakes.length} total={null} />
            </>
          )
        }
      </Shown>
    </section>
  );
}

function columns(): Column<TaskWake>[] {
  const words = messages.value;
  return [
    {
      name: words.task.device,
      cell: ({ deviceId, name, hostname }) => <a href={addressOf("devices", deviceId)}>{name ?? hostname}</a>,
    },
    { name: words.wakes.attempts, isNumber: true, cell: ({ attempts }) => count(attempts) },
    { name: words.wakes.result, cell: ({ reasons }) => sentenceOf(reasons) },
  ];
}
