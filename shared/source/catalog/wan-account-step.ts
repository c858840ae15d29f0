/**
 * Step of migrations.ts that makes the WAN account by hour, package and subnet, which outlives
 * packages and tasks. Bytes of earlier versions have no hour: they count for that of the upgrade.
 */
export const wanAccountStep = `
  CREATE TABLE wan_packages (
    number INTEGER PRIMARY KEY,
    package_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    size_bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE wan_subnets (
    subnet_id TEXT PRIMARY KEY,
    cidr TEXT NOT NULL,
    site TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- direct_bytes: what would have crossed if each device had downloaded for itself.
  CREATE TABLE wan_hours (
    hour INTEGER NOT NULL,
    package INTEGER NOT NULL,
    subnet_id TEXT NOT NULL,
    source_bytes INTEGER NOT NULL,
    web_bytes INTEGER NOT NULL,
    direct_bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, package, subnet_id)
  ) STRICT, WITHOUT ROWID;
  -- Counters of a device: sent by the source, reported as fetched, and counted as from web sites.
  CREATE TABLE wan_devices (
    package INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    sent_bytes INTEGER NOT NULL DEFAULT 0,
    fetched_bytes INTEGER NOT NULL DEFAULT 0,
    web_bytes INTEGER NOT NULL DEFAULT 0,
    is_complete INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (package, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_tasks (
    task_id INTEGER NOT NULL,
    subnet_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, subnet_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE wan_totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source_bytes INTEGER NOT NULL,
    web_bytes INTEGER NOT NULL,
    direct_bytes INTEGER NOT NULL
  ) STRICT;
  INSERT INTO wan_packages (package_id, name, version, size_bytes)
    SELECT package_id, min(package_name), min(package_version), min(package_bytes) FROM tasks GROUP BY package_id;
  INSERT INTO wan_subnets SELECT subnet_id, min(subnet_cidr), min(subnet_site) FROM devices
    WHERE subnet_id IS NOT NULL GROUP BY subnet_id;
  INSERT INTO wan_devices (package, device_id, fetched_bytes, sent_bytes, web_bytes, is_complete)
    SELECT number, device_id, fetched, iif(has_urls, 0, fetched), iif(has_urls, fetched, 0), is_complete
    FROM (
      SELECT number, device_id, sum(json_extract(report_json, '$.wanBytesFetched')) AS fetched,
        max(progress.state IN ('complete', 'reboot-pending')) AS is_complete,
        EXISTS (SELECT 1 FROM package_urls WHERE package_urls.package_id = tasks.package_id) AS has_urls
      FROM progress JOIN tasks ON tasks.id = task_id JOIN wan_packages USING (package_id)
      GROUP BY number, device_id
    );
  INSERT INTO wan_hours
    SELECT CAST(strftime('%s', 'now') AS INTEGER) / 3600, package, coalesce(subnet_id, ''), sum(sent_bytes),
      sum(web_bytes), sum(iif(is_complete, size_bytes, 0))
    FROM wan_devices JOIN wan_packages ON number = package JOIN devices ON id = device_id
    GROUP BY package, coalesce(subnet_id, '');
  INSERT INTO wan_totals
    SELECT 1, coalesce(sum(source_bytes), 0), coalesce(sum(web_bytes), 0), coalesce(sum(direct_bytes), 0)
    FROM wan_hours;
  INSERT INTO wan_tasks
    SELECT task_id, coalesce(subnet_id, ''), sum(json_extract(report_json, '$.wanBytesFetched'))
    FROM progress JOIN devices ON id = device_id GROUP BY 1, 2;
  DROP TABLE wan_account;
  DROP TABLE wan_baseline;
`;
