/** Command `task history`: the course of a task as a table, JSON or CSV. */
import { courseRates } from "../../model/course-rates.ts";
import { formatSize } from "../../model/quantity.ts";
import { connect, type ListOptions } from "./connect.ts";
import { formatTime, print, printedAs, printTable } from "./print.ts";
import { parseTaskId } from "./tasks.ts";

export async function showTaskHistory(id: string, options: ListOptions): Promise<void> {
  const { points } = await (await connect(options)).taskHistory(parseTaskId(id));
  const rates = courseRates(points);
  const rows = points.map((point, index) => Object.assign({}, point, rates[index]!));
  if (printedAs(options, rows)) return;
  if (rows.length === 0) return print("no device has reported this task");
  printTable(
    ["TIME", "OVER THE WAN", "WAN RATE", "IN THE LAN", "LAN RATE", "COMPLETE"],
    rows.map(({ atMs, wanBytes, wanRate, lanBytes, lanRate, complete }) => [
      formatTime(atMs),
      formatSize(wanBytes),
      `${formatSize(wanRate)}/s`,
      formatSize(lanBytes),
      `${formatSize(lanRate)}/s`,
      String(complete),
    ]),
  );
}
