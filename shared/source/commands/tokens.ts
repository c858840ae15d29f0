/** Commands `token create`, `token list` and `token revoke`, and their command line. */
import { Option, type Command } from "@commander-js/extra-typings";
import * as v from "valibot";
import type { Token, TokenCreate } from "../../api/schema/tokens.ts";
import { tokenKinds, type TokenKind } from "../../api/token.ts";
import { labelNameSchema, noneName } from "../../model/label-name.ts";
import { roles, scopeProblem, type Role } from "../../model/role.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { jsonOption, csvOption, sourceOption, tokenOption } from "./options.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { parsePointInTime } from "./start-time.ts";
import { parseScope } from "./users.ts";

const expiryDefault = "+90d";
/** Option value of a token without an expiry. */
const never = "never";
/** Scope of an enrolment token whose devices only get images. */
const imagingScope = "imaging";

type CreateOptions = JsonOptions & {
  readonly kind: TokenKind;
  readonly role?: Role | undefined;
  readonly scope?: string | undefined;
  readonly tags?: string | undefined;
  readonly uses?: string | undefined;
  readonly expires: string;
  readonly approval?: true | undefined;
  readonly approveTakeovers?: true | undefined;
};

/** @throws CommandError with exit status 2 for a text that cannot be a name */
function parseName(text: string): string {
  const parsed = v.safeParse(labelNameSchema, text);
  if (parsed.success) return parsed.output;
  throw new CommandError(`"${text}" cannot be a name: ${parsed.issues[0].message}`, 2);
}

function parseUses(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CommandError(`--uses "${text}" is not a number of devices: write for example 50`, 2);
}

/** Refuses options that are for the other kind. */
function refuseForeign(options: CreateOptions): void {
  const { kind, role, scope, tags, uses, approval, approveTakeovers } = options;
  const foreign =
    kind === "person"
      ? { "--tags": tags, "--uses": uses, "--approval": approval, "--approve-takeovers": approveTakeovers }
      : { "--role": role, "--scope": scope === imagingScope ? undefined : scope };
  for (const [flag, value] of Object.entries(foreign))
    if (value !== undefined)
      throw new CommandError(
        `${flag} is not for --kind ${kind}${flag === "--scope" ? `, except --scope ${imagingScope}` : ""}: leave it out, or change the kind`,
        2,
      );
}

function requestOf(name: string, options: CreateOptions): TokenCreate {
  refuseForeign(options);
  const parsedName = parseName(name);
  const expiresAtMs =
    options.expires === never ? null : usage(() => parsePointInTime(options.expires, Date.now()));
  if (options.kind === "person") {
    const { role } = options;
    if (role === undefined)
      throw new CommandError(`A person's token needs a role: --role ${roles.join(" | ")}`, 2);
    const scope = parseScope(options.scope ?? noneName);
    const problem = scopeProblem(role, scope);
    if (problem !== null) throw new CommandError(`--scope ${options.scope}: ${problem}`, 2);
    return { kind: "person", name: parsedName, role, scope, expiresAtMs };
  }
  return {
    kind: "enrolment",
    name: parsedName,
    tags: parseScope(options.tags ?? noneName),
    needsApproval: options.approval === true,
    approvesTakeovers: options.approveTakeovers === true,
    isImaging: options.scope === imagingScope,
    uses: parseUses(options.uses),
    expiresAtMs,
  };
}

async function createToken(name: string, options: CreateOptions): Promise<void> {
  const request = requestOf(name, options);
  const created = await (await connect(options)).createToken(request);
  if (options.json) printJson(created);
  else print(created.text);
}

function stateOf({ revokedAtMs, expiresAtMs, usesLeft }: Token): string {
  if (revokedAtMs !== null) return `revoked ${formatTime(revokedAtMs)}`;
  if (expiresAtMs !== null && expiresAtMs <= Date.now()) return `expired ${formatTime(expiresAtMs)}`;
  if (usesLeft === 0) return "used up";
  return expiresAtMs === null ? "valid" : `valid until ${formatTime(expiresAtMs)}`;
}

function forText({ kind, role, scope, tags, usesLeft, ...token }: Token): string {
  if (kind === "person") return `${role}${scope.length === 0 ? "" : ` of ${scope.join(", ")}`}`;
  return [
    token.isImaging ? "enrolment for images only" : "enrolment",
    ...(tags.length === 0 ? [] : [`tags ${tags.join(", ")}`]),
    ...(usesLeft === null ? [] : [`${usesLeft} uses left`]),
    ...(token.needsApproval ? ["with approval"] : []),
    ...(token.approvesTakeovers ? ["approves takeovers"] : []),
  ].join("; ");
}

async function listTokens(options: ListOptions): Promise<void> {
  const tokens = await (await connect(options)).tokens();
  if (printedAs(options, tokens)) return;
  printTable(
    ["ID", "NAME", "FOR", "STATE", "LAST USED", "CREATED BY"],
    tokens.map((one) => [
      one.id,
      one.name,
      forText(one),
      stateOf(one),
      one.lastUsedAtMs === null ? "never" : formatTime(one.lastUsedAtMs),
      one.createdBy,
    ]),
  );
}

async function revokeToken(words: string, options: JsonOptions): Promise<void> {
  const token = await (await connect(options)).revokeToken(words);
  if (options.json) return printJson(token);
  print(`${token.name} (${token.id}) is revoked`);
  if (token.kind === "enrolment")
    print(
      `${token.uses} devices enrolled with it and stay: device show names the token, device remove ends one`,
    );
}

/** Adds `token` to the program. */
export function addTokens(program: Command): void {
  const token = program.command("token").description("tokens of people, of their programs and of enrolments");
  token
    .command("create")
    .description("create a token; prints its text, which is shown this once")
    .argument("<name>", "1 to 64 letters, digits, _ . -; the log and the audit show it")
    .addOption(new Option("--kind <kind>", "what the token is for").choices(tokenKinds).makeOptionMandatory())
    .addOption(new Option("--role <role>", "what the person may do").choices(roles))
    .option(
      "--scope <tags>",
      "a viewer's or operator's devices: those with one of these tags (default: all); for --kind enrolment: imaging, whose devices only get images",
    )
    .option("--tags <tags>", "tags that devices get at their enrolment")
    .option("--uses <count>", "number of devices that may enrol (default: any)")
    .option("--expires <time>", "end of the token, such as +7d or 2030-01-31; never: none", expiryDefault)
    .option("--approval", "devices get nothing until device approve")
    .option("--approve-takeovers", "a device that was installed again keeps its tags without device approve")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(createToken);
  token
    .command("list")
    .description("all tokens, also revoked and expired ones of the last 90 days")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listTokens);
  token
    .command("revoke")
    .description("end a token for good; devices that enrolled with it stay")
    .argument("<token>", "name or id")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(revokeToken);
}
