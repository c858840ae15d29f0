/**
 * The first steps that upgrade the file of the catalog, from an empty one on. Further steps are in
 * migrations.ts, which applies all of them.
 */
export const firstSteps: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    credential_sha256 TEXT NOT NULL UNIQUE,
    hostname TEXT NOT NULL,
    os TEXT NOT NULL,
    arch TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    enrolled_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    subnet_id TEXT,
    subnet_cidr TEXT,
    subnet_site TEXT,
    groups_json TEXT NOT NULL DEFAULT '[]',
    inventory_json TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE publisher_keys (key BLOB PRIMARY KEY, registered_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE packages (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    version TEXT NOT NULL COLLATE NOCASE,
    size_bytes INTEGER NOT NULL,
    file_count INTEGER NOT NULL,
    chunk_size_bytes INTEGER NOT NULL,
    url TEXT,
    state TEXT NOT NULL CHECK (state IN ('uploading', 'ready')),
    published_at_ms INTEGER NOT NULL,
    package_key BLOB NOT NULL,
    manifest BLOB NOT NULL,
    signature BLOB NOT NULL,
    publisher_key BLOB NOT NULL,
    UNIQUE (name, version)
  ) STRICT;
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    values_json TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id TEXT NOT NULL REFERENCES packages (id),
    action TEXT NOT NULL,
    command TEXT,
    setting_name TEXT NOT NULL REFERENCES settings (name),
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'cancelled')),
    created_at_ms INTEGER NOT NULL,
    start_at_ms INTEGER NOT NULL,
    task_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE progress (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    state TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    report_json TEXT NOT NULL,
    PRIMARY KEY (task_id, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX progress_by_device ON progress (device_id, state);
  CREATE TABLE leases (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    subnet_id TEXT NOT NULL,
    state_json TEXT NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_account (
    package_id TEXT NOT NULL,
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (package_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  -- Account at the creation of the task: bytes of a package's earlier tasks do not count for this one.
  CREATE TABLE wan_baseline (
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  `,
  // A lease belongs to the package, not to a task: its bytes cross the WAN once per subnet for all
  // its tasks.
  `
  DROP TABLE leases;
  CREATE TABLE leases (
    package_id TEXT NOT NULL REFERENCES packages (id),
    subnet_id TEXT NOT NULL,
    state_json TEXT NOT NULL,
    PRIMARY KEY (package_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  `,
  // A published version can get another URL, so URLs are not part of the signed manifest.
  `
  CREATE TABLE package_urls (
    package_id TEXT NOT NULL REFERENCES packages (id),
    position INTEGER NOT NULL,
    url TEXT NOT NULL,
    layout TEXT NOT NULL CHECK (layout IN ('file', 'folder')),
    PRIMARY KEY (package_id, position),
    UNIQUE (package_id, url)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO package_urls
    SELECT id, 1, url, iif(file_count = 1, 'file', 'folder') FROM packages WHERE url IS NOT NULL;
  ALTER TABLE packages DROP COLUMN url;
  `,
  // Named commands of packages, from their manifests, and the command that a task names.
  `
  ALTER TABLE packages ADD COLUMN commands_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE tasks ADD COLUMN run TEXT;
  `,
  // Subnets that are one: devices of both confirmed each other. `subnet_id` is the subnet after
  // merges, `own_subnet_id` the identity of the device alone.
  `
  ALTER TABLE devices ADD COLUMN own_subnet_id TEXT;
  ALTER TABLE devices ADD COLUMN own_subnet_site TEXT;
  ALTER TABLE devices ADD COLUMN subnet_group TEXT;
  ALTER TABLE devices ADD COLUMN remote_address TEXT;
  ALTER TABLE devices ADD COLUMN lan_address TEXT;
  ALTER TABLE devices ADD COLUMN lan_port INTEGER NOT NULL DEFAULT 0;
  UPDATE devices SET own_subnet_id = subnet_id, own_subnet_site = subnet_site;
  CREATE INDEX devices_by_cidr ON devices (subnet_cidr, subnet_group, subnet_id);
  CREATE INDEX devices_by_remote ON devices (remote_address, subnet_cidr);
  -- device_id is empty for a merge of all devices with this identity.
  CREATE TABLE subnet_merges (
    device_id TEXT NOT NULL,
    subnet_id TEXT NOT NULL,
    into_id TEXT NOT NULL,
    into_site TEXT NOT NULL,
    confirmed_by_json TEXT NOT NULL,
    merged_at_ms INTEGER NOT NULL,
    PRIMARY KEY (device_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX subnet_merges_by_target ON subnet_merges (into_id);
  `,
  // Cancelled tasks are removed some time after their cancellation.
  `
  ALTER TABLE tasks ADD COLUMN cancelled_at_ms INTEGER;
  `,
  // Devices that take part in the session of a subnet are counted before it starts.
  "CREATE INDEX devices_by_subnet ON devices (subnet_id);",
  // Tasks end and expire, and outlast their package. An attempt is repeated on devices that failed.
  `
  CREATE TABLE tasks_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    package_id TEXT NOT NULL,
    package_name TEXT NOT NULL,
    package_version TEXT NOT NULL,
    package_bytes INTEGER NOT NULL,
    action TEXT NOT NULL,
    command TEXT,
    run TEXT,
    allow_downgrade INTEGER NOT NULL,
    setting_name TEXT NOT NULL REFERENCES settings (name),
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'cancelled', 'ended')),
    ended_why TEXT,
    ended_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    start_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    task_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE progress_2 (
    task_id INTEGER NOT NULL REFERENCES tasks_2 (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    has_begun INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    report_json TEXT NOT NULL,
    PRIMARY KEY (task_id, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_baseline_2 (
    task_id INTEGER NOT NULL REFERENCES tasks_2 (id),
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO tasks_2
    SELECT tasks.id, 1, package_id, name, packages.version, size_bytes, action, command, run, 0, setting_name,
      target, tasks.state, NULL, cancelled_at_ms, created_at_ms, start_at_ms, start_at_ms + 7776000000, task_key
    FROM tasks JOIN packages ON packages.id = package_id;
  INSERT INTO progress_2
    SELECT task_id, device_id, 1, state, state = 'running' OR json_extract(report_json, '$.command') IS NOT NULL,
      updated_at_ms, report_json
    FROM progress;
  INSERT INTO wan_baseline_2 SELECT task_id, subnet_id, bytes FROM wan_baseline;
  -- Ids of removed tasks are not used again: devices still know them.
  DELETE FROM sqlite_sequence WHERE name = 'tasks_2';
  INSERT INTO sqlite_sequence (name, seq) SELECT 'tasks_2', seq FROM sqlite_sequence WHERE name = 'tasks';
  DROP TABLE progress;
  DROP TABLE wan_baseline;
  DROP TABLE tasks;
  ALTER TABLE tasks_2 RENAME TO tasks;
  ALTER TABLE progress_2 RENAME TO progress;
  ALTER TABLE wan_baseline_2 RENAME TO wan_baseline;
  CREATE INDEX progress_by_device ON progress (device_id, state);
  CREATE INDEX tasks_open ON tasks (state, expires_at_ms);
  `,
  // Order of commands on a device, and cancellations that end a running command.
  `
  ALTER TABLE tasks ADD COLUMN after_task INTEGER;
  ALTER TABLE tasks ADD COLUMN kills INTEGER NOT NULL DEFAULT 0;
  `,
  // When the command of a task begins.
  `
  ALTER TABLE tasks ADD COLUMN start_is_local INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE tasks ADD COLUMN deadline_at_ms INTEGER;
  ALTER TABLE tasks ADD COLUMN not_while_json TEXT NOT NULL DEFAULT '[]';
  `,
];
