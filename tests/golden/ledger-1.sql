CREATE TABLE packages (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL COLLATE NOCASE,
  version TEXT NOT NULL COLLATE NOCASE,
  size_bytes INTEGER NOT NULL,
  chunk_size_bytes INTEGER NOT NULL,
  chunk_count INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('partial', 'complete')),
  added_at INTEGER NOT NULL,
  completed_at INTEGER,
  last_used_at INTEGER NOT NULL,
  UNIQUE (name, version)
) STRICT;
CREATE TABLE chunks (
  package INTEGER NOT NULL REFERENCES packages (key) ON DELETE CASCADE,
  chunk INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('wan', 'multicast', 'peers', 'cache')),
  receipts INTEGER NOT NULL,
  verified_at INTEGER NOT NULL,
  PRIMARY KEY (package, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE pins (
  package INTEGER NOT NULL REFERENCES packages (key) ON DELETE CASCADE,
  task_id INTEGER NOT NULL,
  PRIMARY KEY (package, task_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE tasks (task_id INTEGER PRIMARY KEY, state TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO packages VALUES
  (1, 'abababababababababababababababababababababababababababababababab', 'editor', '4.2', 2500, 1024, 3, 'complete', 1000, 2000, 3000),
  (2, 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 'office', '2024.1', 4096, 1024, 4, 'partial', 1500, NULL, 3500);
INSERT INTO chunks VALUES
  (1, 0, 1024, 'multicast', 1, 1100), (1, 1, 1024, 'multicast', 1, 1200), (1, 2, 452, 'peers', 1, 1300),
  (2, 0, 1024, 'wan', 1, 1600), (2, 3, 1024, 'cache', 2, 1700);
INSERT INTO pins VALUES (2, 7);
INSERT INTO tasks VALUES (
  7,
  '{"task":{"id":7,"packageId":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","packageName":"office","packageVersion":"2024.1","action":"run","command":"./setup","startAtMs":0,"taskKey":"AAECAwQFBgcICQoLDA0ODw==","packageKey":"Dw4NDAsKCQgHBgUEAwIBAA==","setting":{"name":"default","version":1,"values":{"useMulticast":true,"sessionStartDelayMs":60000,"wanRateBps":null,"lanRateBps":null,"wanAttempts":8,"wanStallMs":30000,"wanFallback":"last-resort","cacheMaxBytes":null,"cacheMaxAgeMs":null,"checkInIntervalMs":86400000,"reportIntervalMs":2000,"representativeWeight":50,"commandTimeoutMs":3600000,"commandSuccessExitCodes":[0]}}},"life":"running","reason":"","command":null,"wanBytesFetched":1024,"lanBytesSent":0,"reported":false}',
  1800
);
INSERT INTO facts VALUES (
  'identity',
  '{"sourceUrl":"https://source.example:7443","deviceId":"00112233445566aa","credential":"secret","deployment":7,"publisherKeys":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}'
);
PRAGMA user_version = 1;
