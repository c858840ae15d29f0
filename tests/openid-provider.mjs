/**
 * OpenID Connect provider of tests, in a process of its own: the npm package oidc-provider with its
 * login form, which takes any password. Prints its issuer as one line, and ends with its input.
 *
 * Argument: JSON with `clients` (of the package) and `accounts` (login → claims).
 */
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { clients, accounts } = JSON.parse(process.argv[2] ?? "{}");
/** Codes of this client expire at once, in seconds. */
const shortClientId = "short";

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
const { port } = server.address();
const issuer = `http://localhost:${port}`;
const provider = new Provider(issuer, {
  clients,
  pkce: { required: () => true },
  scopes: ["openid", "profile", "groups"],
  claims: { openid: ["sub"], profile: ["preferred_username", "email"], groups: ["groups", "realm"] },
  ttl: { AuthorizationCode: (context, code, client) => (client.clientId === shortClientId ? 1 : 60) },
  findAccount: (context, id) =>
    accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
});
server.on("request", provider.callback());
console.log(issuer);
process.stdin.on("end", () => process.exit(0)).resume();
