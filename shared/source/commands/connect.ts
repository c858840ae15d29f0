/**
 * Connection of an administrator's command to the source: URL and token come from the options, then
 * from the environment.
 */
import { createAdminClient, parseSourceUrl, type AdminClient } from "../../api/agent-client.ts";
import { plainHttpProblem } from "../../api/plain-http.ts";
import { readToken, tokenProblem } from "../../api/token.ts";
import { readPrivateFile } from "../../platform/private-files.ts";
import { CommandError, usage } from "./command-error.ts";

export type ConnectOptions = {
  readonly source?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly allowPlainHttp?: boolean | undefined;
};
export type JsonOptions = ConnectOptions & { readonly json?: boolean | undefined };
export type ListOptions = JsonOptions & { readonly csv?: boolean | undefined };
type Environment = Readonly<Record<string, string | undefined>>;

async function tokenText(options: ConnectOptions, environment: Environment): Promise<string> {
  if (options.tokenFile !== undefined) {
    try {
      return await readPrivateFile(options.tokenFile, "administrator's token");
    } catch (error) {
      throw new CommandError(
        `Cannot read the token file "${options.tokenFile}": ${(error as Error).message}`,
        1,
        { cause: error },
      );
    }
  }
  const text = environment["FLOCKCAST_TOKEN"];
  if (text) return text;
  throw new CommandError(
    "No administrator's token: give --token-file with your token, such as the source's admin.token, or set FLOCKCAST_TOKEN to its text",
    2,
  );
}

/**
 * Returns the source's URL.
 *
 * @throws CommandError when it is missing or malformed
 */
export function sourceOf(options: ConnectOptions, environment: Environment = process.env): string {
  const url = options.source ?? environment["FLOCKCAST_SOURCE"];
  if (!url) {
    throw new CommandError("No source: give --source URL, or set FLOCKCAST_SOURCE in the environment", 2);
  }
  return usage(() => parseSourceUrl(url));
}

/**
 * Returns a client for the source; makes no request.
 *
 * @throws CommandError when URL or token are missing or malformed, or the URL has no TLS
 */
export async function connect(
  options: ConnectOptions,
  environment: Environment = process.env,
): Promise<AdminClient> {
  const sourceUrl = sourceOf(options, environment);
  const allowsPlainHttp = options.allowPlainHttp === true;
  const problem = allowsPlainHttp ? null : plainHttpProblem(sourceUrl);
  if (problem !== null) throw new CommandError(problem, 2);
  const token = (await tokenText(options, environment)).trim();
  if (readToken(token)?.kind !== "person") {
    throw new CommandError(`The administrator's token ${tokenProblem(token, "person")}`);
  }
  return createAdminClient({ sourceUrl, token, allowsPlainHttp });
}
