/**
 * Step of migrations.ts for the course of tasks: the counters of a task now, and points of earlier
 * times. Tasks of earlier versions begin with what their reports and the WAN account say.
 */
export const taskCourseStep = `
  CREATE TABLE task_courses (
    task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    step_ms INTEGER NOT NULL,
    points INTEGER NOT NULL,
    wan_bytes INTEGER NOT NULL,
    lan_bytes INTEGER NOT NULL,
    complete INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE task_points (
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    wan_bytes INTEGER NOT NULL,
    lan_bytes INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    PRIMARY KEY (task_id, at_ms)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO task_courses
    SELECT task_id, max(updated_at_ms), 2000, 0,
      coalesce((SELECT sum(bytes) FROM wan_tasks WHERE wan_tasks.task_id = progress.task_id), 0),
      coalesce(sum(json_extract(report_json, '$.lanBytesSent')), 0), sum(progress.state = 'complete')
    FROM progress JOIN tasks ON tasks.id = task_id GROUP BY task_id;
`;
