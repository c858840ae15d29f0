/**
 * Line chart over time, drawn by uPlot on a canvas. A screen reader gets its label, and the values
 * are in a table next to it (task-course.tsx). Colours follow the theme, widths the page.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { locale, theme } from "./language.ts";

export type Line = {
  readonly name: string;
  /** Custom property of console.css with the colour. */
  readonly colour: string;
  /** Lengths of dashes and gaps, so that lines differ without colours. */
  readonly dash?: readonly number[];
  readonly values: readonly number[];
};

const heightPx = 200;
const narrowPx = 30;
/** Width of the axis of values, for texts such as "999.9 MB/s". */
const axisPx = 84;
const darkQuery = "(prefers-color-scheme: dark)";

/** Returns the numbers that change when the system changes its colours. */
function useSystemColours(): number {
  const [changes, setChanges] = useState(0);
  useEffect(() => {
    const query = matchMedia(darkQuery);
    const note = (): void => setChanges((before) => before + 1);
    query.addEventListener("change", note);
    return () => query.removeEventListener("change", note);
  }, []);
  return changes;
}

/**
 * @param timesMs of the values of all lines
 * @param label text of a screen reader instead of the picture
 * @param isStepped whether values stay until the next one, as counts do
 */
export function Chart({
  timesMs,
  lines,
  label,
  text,
  isStepped = false,
}: {
  timesMs: readonly number[];
  lines: readonly Line[];
  label: string;
  text: (value: number) => string;
  isStepped?: boolean;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = [timesMs.map((ms) => ms / 1_000), ...lines.map(({ values }) => [...values])];
  const current = useRef(data);
  current.current = data;
  const systemColours = useSystemColours();
  const look = `${theme.value} ${systemColours} ${locale.value} ${lines.map(({ name }) => name).join()}`;
  useEffect(() => {
    const { current: root } = place;
    if (root === null) return undefined;
    const options = optionsOf(root, { lines, text, isStepped });
    const made = new uPlot(options, current.current as uPlot.AlignedData, root);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: root.clientWidth, height: heightPx }));
    watcher.observe(root);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [look]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [timesMs.at(-1), timesMs.length]);
  return <div ref={place} class="chart" role="img" aria-label={label} />;
}

type Parts = {
  readonly lines: readonly Line[];
  readonly text: (value: number) => string;
  readonly isStepped: boolean;
};

function optionsOf(root: HTMLElement, { lines, text, isStepped }: Parts): uPlot.Options {
  const style = getComputedStyle(root);
  const colourOf = (name: string): string => style.getPropertyValue(name).trim() || style.color;
  const font = `12px ${style.fontFamily}`;
  const axis = {
    stroke: style.color,
    font,
    grid: { stroke: colourOf("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  const paths = isStepped ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!();
  return {
    width: root.clientWidth,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: { y: { range: (_, _min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, space: 90, values: (_, splits) => timesText(splits) },
      {
        ...axis,
        size: axisPx,
        space: narrowPx,
        // Counts have no halves.
        incrs: isStepped ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] : incrs,
        values: (_, splits) => splits.map(text),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour, dash }) => ({
        label: name,
        stroke: colourOf(colour),
        width: 2,
        points: { show: false },
        paths,
        ...(dash === undefined ? {} : { dash: [...dash] }),
      })),
    ],
  };
}

/** Steps of the axis of rates, as powers of ten. */
const incrs = Array.from({ length: 14 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

/** Returns times in the zone of the viewer, and the day where it is another one than before. */
function timesText(seconds: readonly number[]): string[] {
  const stepMs = seconds.length < 2 ? 0 : (seconds[1]! - seconds[0]!) * 1_000;
  const isOfDays = stepMs >= 86_400_000;
  const clock = new Intl.DateTimeFormat(locale.value, {
    hour: "2-digit",
    minute: "2-digit",
    ...(stepMs < 60_000 ? { second: "2-digit" } : {}),
  });
  const day = new Intl.DateTimeFormat(locale.value, { day: "numeric", month: "short" });
  let before = "";
  return seconds.map((one) => {
    const [time, date] = [clock.format(one * 1_000), day.format(one * 1_000)];
    const isSameDay = date === before || before === "";
    before = date;
    return isOfDays || !isSameDay ? date : time;
  });
}
