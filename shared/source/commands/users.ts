/** Commands `user add|list|edit|password|link|remove`, and their command line. */
import { Option, type Command } from "@commander-js/extra-typings";
import * as v from "valibot";
import type { User, UserEdit } from "../../api/schema/users.ts";
import { labelNameSchema, noneName } from "../../model/label-name.ts";
import { passwordProblem } from "../../model/password.ts";
import { roles, scopeProblem, type Role } from "../../model/role.ts";
import { userNameSchema } from "../../model/user-name.ts";
import { CommandError } from "./command-error.ts";
import { connect, sourceOf, type JsonOptions, type ListOptions } from "./connect.ts";
import { jsonOption, csvOption, sourceOption, tokenOption } from "./options.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { readSecret } from "./secret-input.ts";

/**
 * Parses tags separated by commas; `none`: no tag.
 * @throws CommandError with exit status 2 for a tag that cannot be one
 */
export function parseScope(text: string): string[] {
  if (text.toLowerCase() === noneName) return [];
  return text.split(",").map((tag) => {
    const parsed = v.safeParse(labelNameSchema, tag.trim());
    if (parsed.success) return parsed.output;
    throw new CommandError(`"${tag.trim()}" cannot be a tag: ${parsed.issues[0].message}`, 2);
  });
}

function parseUserName(text: string): string {
  const parsed = v.safeParse(userNameSchema, text);
  if (parsed.success) return parsed.output;
  throw new CommandError(`"${text}" cannot be a user's name: ${parsed.issues[0].message}`, 2);
}

const newPassword = async (name: string, file: string | undefined): Promise<string> => {
  const password = await readSecret({ what: "password", flag: "--password-file", file });
  const problem = passwordProblem(password, name);
  if (problem !== null) throw new CommandError(`The password cannot be used: ${problem}`);
  return password;
};

type PasswordOptions = JsonOptions & { readonly passwordFile?: string | undefined };
type AddOptions = PasswordOptions & { readonly role: Role; readonly scope?: string | undefined };

async function addUser(words: string, options: AddOptions): Promise<void> {
  const name = parseUserName(words);
  const { role } = options;
  const scope = parseScope(options.scope ?? noneName);
  const problem = scopeProblem(role, scope);
  if (problem !== null) throw new CommandError(`--scope ${options.scope}: ${problem}`, 2);
  const client = await connect(options);
  const user = await client.addUser({
    name,
    role,
    scope,
    password: await newPassword(name, options.passwordFile),
  });
  if (options.json) return printJson(user);
  print(`added ${user.name}, ${user.role}`);
}

async function listUsers(options: ListOptions): Promise<void> {
  const users = await (await connect(options)).users();
  if (printedAs(options, users)) return;
  printTable(
    ["NAME", "ROLE", "SCOPE", "SIGN-IN", "STATE", "LAST LOGIN", "SESSIONS"],
    users.map((user) => [
      user.name,
      user.role,
      user.scope.join(",") || "all",
      user.signIn,
      user.disabled ? "disabled" : "active",
      user.lastLoginAtMs === null ? "never" : formatTime(user.lastLoginAtMs),
      String(user.sessions),
    ]),
  );
}

type EditOptions = JsonOptions & {
  readonly role?: Role | undefined;
  readonly scope?: string | undefined;
  readonly disable?: true | undefined;
  readonly enable?: true | undefined;
};

async function editUser(name: string, options: EditOptions): Promise<void> {
  const { role, scope, disable, enable } = options;
  if (disable && enable) throw new CommandError("--disable and --enable exclude each other: give one", 2);
  const edit: UserEdit = {
    ...(role === undefined ? {} : { role }),
    ...(scope === undefined ? {} : { scope: parseScope(scope) }),
    ...(disable || enable ? { disabled: disable === true } : {}),
  };
  if (Object.keys(edit).length === 0)
    throw new CommandError("Nothing to change: give --role, --scope, --disable or --enable", 2);
  const user = await (await connect(options)).editUser(parseUserName(name), edit);
  if (options.json) return printJson(user);
  print(textOf(user));
}

const textOf = ({ name, role, scope, disabled }: User): string =>
  `${name}: ${role}, ${scope.length === 0 ? "all devices" : `devices with ${scope.join(" or ")}`}${disabled ? ", disabled" : ""}`;

async function changePassword(words: string, options: PasswordOptions): Promise<void> {
  const name = parseUserName(words);
  const client = await connect(options);
  await client.setPassword(name, await newPassword(name, options.passwordFile));
  if (options.json) return printJson({ name });
  print(`changed the password of ${name}; the sessions of this user ended`);
}

async function makeLink(words: string, options: JsonOptions): Promise<void> {
  const { secret, endsAtMs } = await (await connect(options)).signInLink(parseUserName(words));
  const link = `${sourceOf(options)}/#/sign-in/${secret}`;
  if (options.json) return printJson({ link, endsAtMs });
  print(link);
}

async function removeUser(name: string, options: JsonOptions): Promise<void> {
  const parsed = parseUserName(name);
  await (await connect(options)).removeUser(parsed);
  if (options.json) return printJson({ name: parsed });
  print(`removed ${parsed}`);
}

const passwordOption = () =>
  new Option("--password-file <file>", "file with the password; -: standard input (default: ask)");

/** Adds `user`. */
export function addUsers(program: Command): void {
  const user = program.command("user").description("people who sign in with a name");
  user
    .command("add")
    .description("add a user; asks for the password, at least 12 characters")
    .argument("<name>")
    .addOption(new Option("--role <role>", "what the user may do").choices(roles).makeOptionMandatory())
    .option("--scope <tags>", "devices of a viewer or operator: those with one of these tags (default: all)")
    .addOption(passwordOption())
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(addUser);
  user
    .command("list")
    .description("all users, with their last login")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listUsers);
  addUserChanges(user as Command);
}

function addUserChanges(user: Command): void {
  user
    .command("edit")
    .description("change the role or the scope; disable a user, which ends the sessions, or enable")
    .argument("<name>")
    .addOption(new Option("--role <role>", "what the user may do").choices(roles))
    .option("--scope <tags>", "devices of a viewer or operator; none: all devices")
    .option("--disable", "end the sessions, and let the user not sign in")
    .option("--enable", "let the user sign in again")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(editUser);
  user
    .command("password")
    .description("give a user another password; the sessions of this user end")
    .argument("<name>")
    .addOption(passwordOption())
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(changePassword);
  user
    .command("link")
    .description("print a link that signs a user in once, within 10 minutes")
    .argument("<name>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(makeLink);
  user
    .command("remove")
    .description("remove a user; the sessions of this user end")
    .argument("<name>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(removeUser);
}
