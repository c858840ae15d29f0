/** Commands `oidc set|show|remove`, and their command line. */
import type { Command } from "@commander-js/extra-typings";
import type { SingleSignOnView } from "../../api/schema/users.ts";
import { roles, type Role } from "../../model/role.ts";
import { CommandError } from "./command-error.ts";
import { connect, sourceOf, type JsonOptions } from "./connect.ts";
import { jsonOption, sourceOption, tokenOption } from "./options.ts";
import { print, printJson } from "./print.ts";
import { readSecret } from "./secret-input.ts";
import { parseScope } from "./users.ts";

type GroupRole = SingleSignOnView["roles"][number];

/**
 * Parses ROLE=GROUP or ROLE:TAG,TAG=GROUP.
 * @throws CommandError with exit status 2
 */
function parseRole(text: string): GroupRole {
  const [, role = "", tags = null, group = ""] = /^([a-z]+)(?::([^=]+))?=(.+)$/.exec(text) ?? [];
  if (!roles.includes(role as Role))
    throw new CommandError(
      `--role "${text}" is not ROLE=GROUP: write for example administrator=it-admins, or operator:b7,b8=helpdesk`,
      2,
    );
  return { role: role as Role, group, scope: tags === null ? [] : parseScope(tags) };
}

type SetOptions = JsonOptions & {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecretFile?: string | undefined;
  readonly role: readonly string[];
  readonly url?: string | undefined;
  readonly groupsClaim?: string | undefined;
  readonly nameClaim?: string | undefined;
  readonly request?: string | undefined;
};

async function setProvider(options: SetOptions): Promise<void> {
  const { issuer, clientId, clientSecretFile: file, groupsClaim, nameClaim, request } = options;
  const groupRoles = options.role.map(parseRole);
  const client = await connect(options);
  const secret = { what: "client secret", flag: "--client-secret-file", file };
  const provider = await client.setSingleSignOn({
    issuer,
    clientId,
    publicUrl: options.url ?? sourceOf(options),
    roles: groupRoles,
    ...(file === undefined ? {} : { clientSecret: await readSecret(secret) }),
    ...(groupsClaim === undefined ? {} : { groupsClaim }),
    ...(nameClaim === undefined ? {} : { nameClaim }),
    ...(request === undefined ? {} : { requested: request.split(",").map((one) => one.trim()) }),
  });
  if (options.json) return printJson(provider);
  printProvider(provider);
  print("Allow the redirect address for this client at the provider. Sessions of its users have ended.");
}

async function showProvider(options: JsonOptions): Promise<void> {
  const provider = await (await connect(options)).singleSignOn();
  if (options.json) return printJson(provider);
  if (provider === null) return print("no single sign-on; oidc set begins it");
  printProvider(provider);
}

function printProvider(provider: SingleSignOnView): void {
  const rows: [string, string][] = [
    ["issuer", provider.issuer],
    ["client", provider.clientId],
    ["redirect", provider.redirectUrl],
    ["requests", provider.requested.join(", ")],
    ["name", `claim ${provider.nameClaim}`],
    ["groups", `claim ${provider.groupsClaim}`],
    ...provider.roles.map(({ role, scope, group }): [string, string] => [
      role,
      `group ${group}${scope.length === 0 ? "" : `, devices with ${scope.join(" or ")}`}`,
    ]),
  ];
  for (const [key, value] of rows) print(`${key.padEnd(13)} ${value}`);
}

async function removeProvider(options: JsonOptions): Promise<void> {
  await (await connect(options)).removeSingleSignOn();
  if (options.json) return printJson(null);
  print("single sign-on has ended, and with it the sessions of its users");
}

/** Adds `oidc`. */
export function addSingleSignOn(program: Command): void {
  const oidc = program.command("oidc").description("single sign-on at an OpenID Connect provider");
  oidc
    .command("set")
    .description("let people sign in at a provider; sessions of its users end")
    .requiredOption("--issuer <url>", "the provider, as its discovery document names it")
    .requiredOption("--client-id <id>", "this source's name at the provider")
    .option(
      "--client-secret-file <file>",
      "file with the client secret; -: standard input (default: the one in use)",
    )
    .option(
      "--role <role=group>",
      "role of a group's members, such as operator=helpdesk or operator:b7=helpdesk for the devices with the tag b7; may be repeated, the first that fits counts",
      (role: string, all: string[]) => [...all, role],
      [] as string[],
    )
    .option("--url <url>", "address of the source in browsers (default: that of --source)")
    .option("--groups-claim <name>", "claim with the groups, such as realm_access.roles (default: groups)")
    .option("--name-claim <name>", "claim with the user's name (default: preferred_username)")
    .option("--request <scopes>", "scopes to request (default: openid,profile)")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(setProvider);
  oidc
    .command("show")
    .description("the provider, and the roles of its groups")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(showProvider);
  oidc
    .command("remove")
    .description("end single sign-on; sessions of the provider's users end")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(removeProvider);
}
