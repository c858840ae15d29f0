/**
 * Course of a task: charts of the WAN rate, the LAN rate and the complete devices over time, with a
 * sentence and a table of the same values. The source keeps them, also after the end of the task.
 */
import type { TaskHistory } from "../../../api/schema/task-history.ts";
import { courseRates, type CourseRates } from "../../../model/course-rates.ts";
import { Chart, type Line } from "./chart.tsx";
import { Empty, Moment, Shown, Table } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { count, rateOfBytes, size } from "./texts.ts";

const everyMs = 2_000;

type Point = TaskHistory["points"][number] & CourseRates;

const withRates = (points: TaskHistory["points"]): Point[] => {
  const rates = courseRates(points);
  return points.map((point, index) => Object.assign({}, point, rates[index]!));
};

/** @param isLive whether devices still report */
export function TaskCourse({ id, isLive }: { id: number; isLive: boolean }) {
  const words = messages.value.course;
  const loaded = useLoaded<TaskHistory>(`/v1/tasks/${id}/history`, isLive ? everyMs : null);
  return (
    <section class="course">
      <h2>{words.title}</h2>
      <Shown loaded={loaded}>
        {({ points }) =>
          points.length < 2 ? <Empty text={words.none} /> : <Charts points={withRates(points)} />
        }
      </Shown>
    </section>
  );
}

const most = (values: readonly number[]): number => Math.max(0, ...values);

function Charts({ points }: { points: readonly Point[] }) {
  const words = messages.value.course;
  const timesMs = points.map(({ atMs }) => atMs);
  const last = points.at(-1)!;
  const wan: Line = {
    name: words.wan,
    colour: "--chart-wan",
    dash: [6, 4],
    values: points.map(({ wanRate }) => wanRate),
  };
  const lan: Line = { name: words.lan, colour: "--chart-lan", values: points.map(({ lanRate }) => lanRate) };
  const complete: Line = {
    name: words.complete,
    colour: "--chart-lan",
    values: points.map((point) => point.complete),
  };
  const rates = words.ratesText({
    wan: size(last.wanBytes),
    wanMost: rateOfBytes(most(wan.values)),
    lan: size(last.lanBytes),
    lanMost: rateOfBytes(most(lan.values)),
  });
  const devices = words.completeText(count(last.complete), last.complete);
  return (
    <>
      <div class="charts">
        <figure>
          <figcaption>
            <strong>{words.rates}</strong>
            <Legend lines={[wan, lan]} />
          </figcaption>
          <Chart timesMs={timesMs} lines={[wan, lan]} label={`${words.rates}: ${rates}`} text={rateOfBytes} />
          <p>{rates}</p>
        </figure>
        <figure>
          <figcaption>
            <strong>{words.complete}</strong>
          </figcaption>
          <Chart
            timesMs={timesMs}
            lines={[complete]}
            label={`${words.complete}: ${devices}`}
            text={count}
            isStepped
          />
          <p>{devices}</p>
        </figure>
      </div>
      <Values points={points} />
    </>
  );
}

const Legend = ({ lines }: { lines: readonly Line[] }) => (
  <ul class="legend">
    {lines.map(({ name, colour, dash }) => (
      <li key={name}>
        <span class={`swatch ${colour.slice(2)}${dash === undefined ? "" : " dashed"}`} aria-hidden="true" />
        {name}
      </li>
    ))}
  </ul>
);

function Values({ points }: { points: readonly Point[] }) {
  const words = messages.value.course;
  return (
    <details>
      <summary>{words.table}</summary>
      <Table
        label={words.title}
        rows={points.toReversed()}
        keyOf={({ atMs }) => atMs}
        columns={[
          { name: words.at, cell: ({ atMs }) => <Moment atMs={atMs} /> },
          { name: words.wan, isNumber: true, cell: ({ wanRate }) => rateOfBytes(wanRate) },
          { name: words.lan, isNumber: true, cell: ({ lanRate }) => rateOfBytes(lanRate) },
          { name: words.wanBytes, isNumber: true, cell: ({ wanBytes }) => size(wanBytes) },
          { name: words.lanBytes, isNumber: true, cell: ({ lanBytes }) => size(lanBytes) },
          { name: words.complete, isNumber: true, cell: ({ complete }) => count(complete) },
        ]}
      />
    </details>
  );
}
