/** Why the source is not reached: kept for `status`, logged at each change. */
import { expect, test } from "bun:test";
import { SourceError } from "../api/agent-client.ts";
import type { Logger } from "../log.ts";
import { IdentityError } from "../net/web/identity-error.ts";
import { Contact } from "./contact.ts";

const refused = (text: string): SourceError =>
  new SourceError("unreachable", null, text, {
    cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }),
  });

test("logs each change of the reason, and keeps its beginning", () => {
  const logged: unknown[] = [];
  const note = (fields: { why: string }, text: string): unknown => logged.push([text, fields.why]);
  let nowMs = 0;
  const contact = new Contact({ warn: note, info: note } as unknown as Logger, () => nowMs);
  expect(contact.lost).toBeNull();
  contact.onAnswer();
  nowMs = 10;
  contact.onFailure(refused("one"), 1_000);
  nowMs = 20;
  contact.onFailure(refused("two"), 1_000);
  expect(contact.lost).toEqual({ why: "connection-refused", text: "two", sinceMs: 10 });
  nowMs = 30;
  const cause = new IdentityError("identity", "another source");
  contact.onFailure(new SourceError("unauthorized", null, "another source", { cause }), 1_000);
  contact.onFailure(new SourceError("unauthorized", 401, "Unknown credential"), 1_000);
  contact.onFailure(new SourceError("unreachable", 503, "busy"), 1_000);
  // The body of the change stream fails with the error of the connection.
  contact.onFailure(Object.assign(new Error("cut"), { code: "ECONNRESET" }), 1_000);
  contact.onAnswer();
  expect(contact.lost).toBeNull();
  expect(logged).toEqual([
    ...["connection-refused", "identity", "credential", "source-error", "connection-lost"].map((why) => [
      "the source is not reached",
      why,
    ]),
    ["the source answers again", "connection-lost"],
  ]);
});
