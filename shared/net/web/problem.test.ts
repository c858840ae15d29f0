import { expect, test } from "bun:test";
import { connectionProblem } from "./problem.ts";

const url = "https://web.example/a?sig=secret";
const problemOf = (code: string) => connectionProblem(Object.assign(new Error(code), { code }), url);

test.each([
  ["EAI_AGAIN", "no name server answers"],
  ["ENOTFOUND", "cannot be resolved"],
  ["ENETUNREACH", "no route to"],
  ["EHOSTUNREACH", "no route to"],
  ["EPROTO", "does not speak TLS"],
  ["Malformed_HTTP_Response", "too many header lines"],
  ["ECONNRESET", "closed early"],
  ["EUNHEARDOF", "cannot fetch https://web.example/a?… (EUNHEARDOF)"],
])("%s is described in words, and tried again", (code, words) => {
  const { message, remedy } = problemOf(code);
  expect(message).toContain(words);
  expect(message).toContain("https://web.example/a?…");
  expect(remedy).toBe("again");
});

test.each([
  ["ERR_TLS_CERT_ALTNAME_INVALID", "is for another name"],
  ["CERT_HAS_EXPIRED", "is not valid today"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "is not trusted"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "the system's trust store"],
])("the certificate problem %s is final", (code, words) => {
  const { message, remedy } = problemOf(code);
  expect(message).toContain(words);
  expect(remedy).toBe("final");
});
