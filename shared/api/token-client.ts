/** The part of the administrator's client about tokens. */
import { allPages } from "./pages.ts";
import { ask, type Connection } from "./request.ts";
import {
  tokenCreatedSchema,
  tokenListSchema,
  tokenSchema,
  type Token,
  type TokenCreate,
  type TokenCreated,
} from "./schema/tokens.ts";

export type TokenClient = {
  /** Returns all tokens, the oldest first. */
  tokens(): Promise<Token[]>;
  createToken(token: TokenCreate): Promise<TokenCreated>;
  /** @param words id or name */
  revokeToken(words: string): Promise<Token>;
};

export const tokenClient = (connection: Connection): TokenClient => ({
  tokens: () => allPages(connection, "/v1/tokens", tokenListSchema, ({ tokens }) => tokens),
  createToken: (token) => ask(connection, "POST", "/v1/tokens", tokenCreatedSchema, { json: token }),
  revokeToken: (words) => ask(connection, "DELETE", `/v1/tokens/${encodeURIComponent(words)}`, tokenSchema),
});
