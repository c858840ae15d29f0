import { expect, test } from "bun:test";
import { join } from "node:path";
import { roles, roleWords } from "../../shared/model/role.ts";
import { permissionsPage } from "./permissions.ts";

const textOf = (name: string): Promise<string> => Bun.file(join(import.meta.dir, "../../docs", name)).text();
/** The formatter pads the cells of tables and wraps no line of them. */
const cellsOf = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
const rows = (page: string): string[][] =>
  page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map(cellsOf);

test("docs/PERMISSIONS.md lists every route of the code with its callers and the rule of the scope", async () => {
  expect(rows(await textOf("PERMISSIONS.md"))).toEqual(rows(permissionsPage()));
});

test("docs/OPERATIONS.md lists the roles of the code with what they may do", async () => {
  const lines = (await textOf("OPERATIONS.md")).split("\n");
  const from = lines.findIndex((line) => /^\| role +\| may/.test(line)) + 2;
  const table = lines.slice(from, from + roles.length).map(cellsOf);
  expect(table).toEqual(roles.map((role) => [`\`${role}\``, roleWords[role]]));
});
