/**
 * Single sign-on by OpenID Connect: the authorization code flow with PKCE, state and nonce. The
 * protocol is oauth4webapi; this file has its order, and the words for what can fail.
 */
import * as oauth from "oauth4webapi";
import * as v from "valibot";
import { userNameSchema } from "../../model/user-name.ts";
import { ApiError } from "../api-error.ts";
import type { SingleSignOn } from "../catalog/index.ts";
import { isProtected, providerFetch } from "./provider-fetch.ts";

export const providerPath = "/v1/sign-in/provider";
const callbackPath = `${providerPath}/callback`;

/** Address to which the provider sends the browser back. */
export const redirectUrlOf = ({ publicUrl }: Pick<SingleSignOn, "publicUrl">): string =>
  new URL(callbackPath, publicUrl).href;

/** Part of a sign-in that only the browser which began it has. */
export type PendingSignIn = {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Provider of the sign-in: another one may be set meanwhile. */
  readonly issuer: string;
  readonly returnTo: string;
  readonly endsAtMs: number;
};
/** A person as the provider describes it. `groups` is null if the provider gives no such claim. */
export type ProviderPerson = {
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[] | null;
};

/** Time for which a discovery document is used. */
const cachedMs = 600_000;

export class Provider {
  #cached: {
    readonly issuer: string;
    readonly untilMs: number;
    readonly server: oauth.AuthorizationServer;
  } | null = null;
  /** Requests that run: anyone can begin a sign-in, also while the provider does not answer. */
  readonly #asked = new Map<string, Promise<oauth.AuthorizationServer>>();

  /**
   * Returns what the provider states about itself.
   * @throws ApiError 503 that names what is wrong
   */
  async server(issuer: string, nowMs: number): Promise<oauth.AuthorizationServer> {
    if (this.#cached?.issuer === issuer && nowMs < this.#cached.untilMs) return this.#cached.server;
    const running = this.#asked.get(issuer);
    if (running !== undefined) return running;
    const asked = this.#discover(issuer, nowMs).finally(() => this.#asked.delete(issuer));
    this.#asked.set(issuer, asked);
    return asked;
  }

  async #discover(issuer: string, nowMs: number): Promise<oauth.AuthorizationServer> {
    const server = await explained(issuer, async () => {
      const url = new URL(issuer);
      return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, optionsFor(issuer)));
    });
    for (const endpoint of ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const) {
      const url = URL.parse(server[endpoint] ?? "");
      if (url === null || !isProtected(url))
        throw new ApiError(
          503,
          `The provider ${issuer} states no usable ${endpoint}`,
          "is it OpenID Connect?",
        );
    }
    this.#cached = { issuer, untilMs: nowMs + cachedMs, server };
    return server;
  }

  /** Returns the address at the provider to which the browser goes. */
  async signInUrl(config: SingleSignOn, pending: PendingSignIn, nowMs: number): Promise<string> {
    const url = new URL((await this.server(config.issuer, nowMs)).authorization_endpoint!);
    for (const [name, value] of Object.entries({
      client_id: config.clientId,
      response_type: "code",
      redirect_uri: redirectUrlOf(config),
      scope: config.requested.join(" "),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: "S256",
    }))
      url.searchParams.set(name, value);
    return url.href;
  }

  /**
   * Returns the person of a sign-in, from the request with which the provider sends the browser
   * back.
   * @throws ApiError 403 for an answer that is not for this sign-in, or that the provider refuses
   */
  async person(
    config: SingleSignOn,
    pending: PendingSignIn,
    answer: URLSearchParams,
    nowMs: number,
  ): Promise<ProviderPerson> {
    const { issuer, clientId } = config;
    const server = await this.server(issuer, nowMs);
    const client: oauth.Client = { client_id: clientId };
    return explained(issuer, async () => {
      const parameters = oauth.validateAuthResponse(server, client, answer, pending.state);
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        authenticationFor(server, config.clientSecret),
        parameters,
        redirectUrlOf(config),
        pending.verifier,
        optionsFor(issuer),
      );
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: pending.nonce,
        requireIdToken: true,
      });
      await oauth.validateApplicationLevelSignature(server, response, optionsFor(issuer));
      const claims = oauth.getValidatedIdTokenClaims(tokens)!;
      const more = await userInfo(server, client, tokens.access_token, claims.sub);
      return personOf(config, claims.sub, { ...more, ...claims });
    });
  }
}

const optionsFor = (issuer: string) => ({
  [oauth.customFetch]: providerFetch,
  // `providerFetch` admits http to this machine only.
  [oauth.allowInsecureRequests]: new URL(issuer).protocol === "http:",
});

function authenticationFor(server: oauth.AuthorizationServer, secret: string): oauth.ClientAuth {
  const methods = server.token_endpoint_auth_methods_supported;
  const isBasic = methods === undefined || methods.includes("client_secret_basic");
  return isBasic ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
}

/** Some providers give names and groups there only. */
async function userInfo(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  accessToken: string,
  subject: string,
): Promise<Record<string, unknown>> {
  if (server.userinfo_endpoint === undefined) return {};
  const response = await oauth.userInfoRequest(server, client, accessToken, optionsFor(server.issuer));
  return { ...(await oauth.processUserInfoResponse(server, client, subject, response)) };
}

/** Returns a claim by its name, or by its path of names: "realm_access.roles". */
function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function personOf(
  { nameClaim, groupsClaim }: SingleSignOn,
  subject: string,
  claims: Readonly<Record<string, unknown>>,
): ProviderPerson {
  const names = [claimAt(claims, nameClaim), claims["preferred_username"], claims["email"], subject];
  const name = names.find((one) => v.is(userNameSchema, one));
  if (typeof name !== "string")
    throw new ApiError(
      403,
      `The provider gives no name that a user can have`,
      "an administrator chooses another claim with oidc set --name-claim",
    );
  const groups = claimAt(claims, groupsClaim);
  const list = typeof groups === "string" ? [groups] : Array.isArray(groups) ? groups : null;
  return {
    subject,
    name: v.parse(userNameSchema, name),
    groups: list && list.filter((one) => typeof one === "string"),
  };
}

/** Runs a part of the flow, and turns its errors into answers for people. */
async function explained<T>(issuer: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof ApiError ? error : refusalFor(issuer, error);
  }
}

const again = "begin again at the source's page";

function refusalFor(issuer: string, error: unknown): ApiError {
  if (isWrongClient(error))
    return new ApiError(
      503,
      `The provider ${issuer} does not accept the client id or the client secret of this source`,
      "an administrator corrects them with oidc set",
    );
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    const why = error.error_description ?? "no reason given";
    return new ApiError(403, `The provider ${issuer} refused the sign-in: ${error.error}: ${why}`, again);
  }
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof oauth.OperationProcessingError && !isUnreadable(error))
    return new ApiError(403, `The provider's answer does not belong to this sign-in: ${text}`, again);
  return new ApiError(
    503,
    `The provider ${issuer} cannot be used: ${text}`,
    "check its address and this source's way to it; other users sign in with a password",
  );
}

const isWrongClient = (error: unknown): boolean =>
  error instanceof oauth.WWWAuthenticateChallengeError ||
  (error instanceof oauth.ResponseBodyError && error.error === "invalid_client");

/** Returns whether the answer is not of the protocol at all. */
const isUnreadable = ({ code }: oauth.OperationProcessingError): boolean =>
  code === oauth.RESPONSE_IS_NOT_CONFORM ||
  code === oauth.RESPONSE_IS_NOT_JSON ||
  code === oauth.PARSE_ERROR ||
  code === oauth.HTTP_REQUEST_FORBIDDEN ||
  code === oauth.JSON_ATTRIBUTE_COMPARISON;
