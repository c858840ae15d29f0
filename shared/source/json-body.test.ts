/** Bodies of requests with another media type than JSON, on the real app. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { openFixture, type Fixture } from "./app-fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

test.each([undefined, "application/x-www-form-urlencoded", "text/plain"])(
  "a body with the media type %p is refused, and is not taken for an empty one",
  async (type) => {
    const json = { name: "anna", role: "viewer", password: "correct horse battery" };
    expect((await fixture.call("POST", "/v1/users", { json })).status).toBe(200);
    const answer = await fixture.call("PATCH", "/v1/users/anna", {
      body: new TextEncoder().encode(JSON.stringify({ disabled: true })),
      headers: type === undefined ? {} : { "content-type": type },
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { hint: "send the header Content-Type: application/json" },
    });
    expect((await fixture.catalog.users.byName("anna"))!.disabledAtMs).toBeNull();
  },
);
