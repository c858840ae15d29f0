import { expect, test } from "bun:test";
import { redirectProblem } from "./redirect-guard.ts";

test.each([
  ["http://192.0.43.8/a", "http://192.0.43.9/b"],
  ["http://192.0.43.8/a", "https://192.0.43.9/b"],
  ["http://10.0.0.1/a", "http://192.168.1.1/b"],
  ["http://10.0.0.1/a", "http://192.0.43.8/b"],
  ["http://127.0.0.1:1/a", "http://127.0.0.2:2/b"],
  ["http://localhost:1/a", "http://[::1]:2/b"],
  ["http://127.0.0.1:1/a", "http://10.0.0.1/b"],
  ["http://[fd00::1]/a", "http://10.0.0.1/b"],
  ["http://10.0.0.1/a", "http://no.such.invalid/b"],
])("a redirect from %s to %s is followed", async (from, to) => {
  expect(await redirectProblem(from, to)).toBeNull();
});

test.each([
  ["https://192.0.43.8/a", "http://192.0.43.8/a", "from https to"],
  ["http://192.0.43.8/a?sig=secret", "http://127.0.0.1/b?sig=secret", "a loopback address"],
  ["http://192.0.43.8/a", "http://localhost/b", "a loopback address"],
  ["http://192.0.43.8/a", "http://0.0.0.0/b", "a loopback address"],
  ["http://192.0.43.8/a", "http://[::ffff:127.0.0.1]/b", "a loopback address"],
  ["http://192.0.43.8/a", "http://2130706433/b", "a loopback address"],
  ["http://192.0.43.8/a", "http://169.254.169.254/latest", "a link-local address"],
  ["http://192.0.43.8/a", "http://10.0.0.1/b", "a private address"],
  ["http://192.0.43.8/a", "http://[fd00:ec2::254]/b", "a private address"],
  ["http://10.0.0.1/a", "http://127.0.0.1/b", "a loopback address"],
  ["http://10.0.0.1/a", "http://169.254.169.254/b", "a link-local address"],
  ["http://[2001:4860::1]/a", "http://[fe80::1]/b", "a link-local address"],
])("a redirect from %s to %s is refused", async (from, to, words) => {
  const problem = await redirectProblem(from, to);
  expect(problem).toContain(words);
  expect(problem).not.toContain("secret");
});
