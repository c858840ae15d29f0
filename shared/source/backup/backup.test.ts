/** Refusals of a backup, on the real app and catalog; restore.test.ts has backups that are made. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openFixture, type Fixture } from "../app-fixture.ts";
import { snapshotPrefix } from "../data-files.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

test("a backup without a file of the data folder is refused with its name, before the first byte", async () => {
  await Bun.write(join(fixture.folder, "admin.token"), "");
  expect(await fixture.call("POST", "/v1/backup")).toMatchObject({
    status: 409,
    body: {
      error: 'The data folder has no "enroll.token", which belongs into a backup',
      hint: expect.stringContaining("start the source again"),
    },
  });
  const left = (await readdir(fixture.folder)).filter((name) => name.startsWith(snapshotPrefix));
  expect(left).toEqual([]);
});
