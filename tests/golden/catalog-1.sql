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
  name TEXT NOT NULL,
  version TEXT NOT NULL,
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
-- What the account stood at when the task was created: a package's earlier tasks are not this one's cost.
CREATE TABLE wan_baseline (
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  subnet_id TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (task_id, subnet_id)
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('deployment', '4042053207');
INSERT INTO devices VALUES (
  '00112233445566aa', 'aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00', 'pc-17', 'linux', 'x64', '0.1.0', 1000, 2000,
  '0123456789abcdef', '10.0.0.0/24', 'routed', '["sales"]', NULL
);
INSERT INTO publisher_keys VALUES (x'1111111111111111111111111111111111111111111111111111111111111111', 1000);
INSERT INTO packages VALUES (
  'abababababababababababababababababababababababababababababababab', 'editor', '4.2', 2500, 1, 1024, NULL, 'ready', 1000,
  x'000102030405060708090a0b0c0d0e0f', x'98', x'00', x'1111111111111111111111111111111111111111111111111111111111111111'
);
INSERT INTO settings VALUES ('default', 3, '{"wanAttempts":5}');
INSERT INTO tasks VALUES (
  4, 'abababababababababababababababababababababababababababababababab', 'run', './setup', 'default', 'all', 'active', 1000, 1000, x'0f0e0d0c0b0a09080706050403020100'
);
INSERT INTO progress VALUES (
  4, '00112233445566aa', 'complete', 3000,
  '{"taskId":4,"state":"complete","role":"none","term":1,"bytesTotal":2500,"bytesVerified":2500,"from":{"wan":2500,"multicast":0,"peers":0,"cache":0},"wanBytesFetched":2500,"lanBytesSent":0,"rateBps":0,"reason":"complete","command":null}'
);
INSERT INTO leases VALUES (4, '0123456789abcdef', '{}');
INSERT INTO wan_account VALUES ('abababababababababababababababababababababababababababababababab', '0123456789abcdef', 2500);
INSERT INTO wan_baseline VALUES (4, '0123456789abcdef', 0);
PRAGMA user_version = 1;
