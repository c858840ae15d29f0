/** Words of the audit: every route that changes something has them. */
import { expect, test } from "bun:test";
import { permissions } from "../../permissions.ts";
import { auditWords } from "./messages-audit.ts";

/** Routes that change nothing, or that devices send all the time and no row names. */
const quiet = /^(GET|HEAD) |dry-run$|packages\/manifest$|^POST \/v1\/agent\/(?!enroll)/;

test("every route that changes something has words in both languages", () => {
  const routes = [...permissions.keys()].filter((name) => !quiet.test(name));
  expect(routes.length).toBeGreaterThan(50);
  expect(routes.filter((name) => auditWords.get(name)?.every((words) => words !== "") !== true)).toEqual([]);
});
