/**
 * `bun run generate permissions`: writes docs/PERMISSIONS.md, the routes of the source with their
 * callers, from shared/source/permissions.ts. `scripts/generate/permissions.test.ts` compares the
 * file with the table.
 */
import { join } from "node:path";
import { roles } from "../../shared/model/role.ts";
import { permissions, type AllowedCaller, type ScopeRule } from "../../shared/source/permissions.ts";

const path = join(import.meta.dir, "..", "..", "docs", "PERMISSIONS.md");

const callers: readonly AllowedCaller[] = ["anyone", "device", ...roles];

const head = `# Permissions

Routes of the source, and who may use them. [OPERATIONS](OPERATIONS.md), "People and tokens", describes the roles. A
caller without a mark gets 403. The last column says what the scope of a viewer's or operator's token does:

- limits: the answer and the change concern the devices of the scope alone
- refuses: a token with a scope gets 403
- empty: the route does not concern devices, or is not for these roles

Written by \`bun run generate permissions\` from \`shared/source/permissions.ts\`. \`/openapi.json\` has the same as
\`x-callers\` and \`x-scope\`.

| request | ${callers.join(" | ")} | scope |
| ------- | ${callers.map(() => ":-:").join(" | ")} | ----- |
`;

const scopeText = (scope: ScopeRule): string => (scope === "none" ? "" : scope);

/** Returns the text of docs/PERMISSIONS.md. */
export const permissionsPage = (): string =>
  head +
  [...permissions]
    .map(([route, permission]) => {
      const marks = callers.map((one) => (permission.callers.includes(one) ? "x" : ""));
      return `| \`${route}\` | ${marks.join(" | ")} | ${scopeText(permission.scope)} |\n`;
    })
    .join("");

export async function generatePermissions(): Promise<void> {
  await Bun.write(path, permissionsPage());
}
