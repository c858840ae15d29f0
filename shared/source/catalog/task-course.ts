/** Course of a task in the catalog, as an interface: its counters over time. */

/** Counters of a task at a time, since its creation. */
export type CoursePoint = {
  readonly atMs: number;
  /** Package bytes that crossed the WAN for the task. */
  readonly wanBytes: number;
  /** Bytes that its devices sent to each other. */
  readonly lanBytes: number;
  /** Devices that reported the state "complete". */
  readonly complete: number;
};
export type TaskCourse = {
  /** Least distance of two points; it doubles as the course becomes longer. */
  readonly stepMs: number;
  /** In the order of their times; the last one has the current counters. */
  readonly points: readonly CoursePoint[];
};

/** Courses are written with the reports and the WAN account, and end with their task. */
export interface TaskCourseStore {
  /** Returns null for a task of which nothing was reported. */
  ofTask(taskId: number): Promise<TaskCourse | null>;
}
