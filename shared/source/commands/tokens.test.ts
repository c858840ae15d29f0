/** Words of `token create` that are refused before a source is asked. */
import { expect, test } from "bun:test";
import { Command } from "@commander-js/extra-typings";
import { addTokens } from "./tokens.ts";

const create = async (...words: string[]): Promise<void> => {
  const program = new Command("flockcast-source").exitOverride();
  addTokens(program as Command);
  const always = ["token", "create", "--source", "http://127.0.0.1:1", "--kind", "person"];
  await program.parseAsync([...always, ...words], { from: "user" });
};

test.each(["", ",", "berlin,", " "])(
  "a scope of %j is refused, and does not stand for all devices",
  async (scope) => {
    await expect(create("night-shift", "--role", "operator", "--scope", scope)).rejects.toThrow(
      '"" cannot be a tag',
    );
  },
);

test.each(["a,b", ",a", ""])("a token cannot be named %j", async (name) => {
  await expect(create(name, "--role", "viewer")).rejects.toThrow(`"${name}" cannot be a name`);
});

test.each(["", "lab,"])("tags of %j are refused", async (tags) => {
  const words = ["room-5", "--kind", "enrolment", "--tags", tags];
  await expect(create(...words)).rejects.toThrow('"" cannot be a tag');
});
