/**
 * Authentication: a device by its credential, an administrator by the token in the data folder.
 *
 * A secret is compared by its SHA-256 in constant time. Credentials of devices are stored as
 * SHA-256 only.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { readToken } from "../api/token.ts";
import { ApiError } from "./api-error.ts";
import { barCodeOf, barredError } from "./barred-credential.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import type { Refusal } from "./refused-requests.ts";

/**
 * Interval of updates of `lastSeenAtMs`, which only people read: one write per half minute and
 * device.
 */
const lastSeenStepMs = 30_000;

/** Returns the form in which the catalog stores a credential. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex");

const secretsEqual = (given: string, secret: string): boolean =>
  timingSafeEqual(createHash("sha256").update(given).digest(), createHash("sha256").update(secret).digest());

/** Returns whether `text` is the enrolment token of this source. */
export const isEnrollToken = (context: SourceContext, text: string): boolean =>
  secretsEqual(readToken(text)?.secret ?? "", context.secrets.enroll);

type Caller = SourceEnv["Variables"]["caller"];

/**
 * Returns a middleware that admits only `callers`.
 *
 * @throws ApiError 401 for a missing or unknown credential, 403 for a barred one and for another
 *   kind of caller
 */
export function allow(context: SourceContext, ...callers: readonly Caller[]) {
  return createMiddleware<SourceEnv>(async (c, next) => {
    const refuse = (why: Refusal): void => countRefusal(context, c, why);
    const credential = credentialIn(context, c);
    const caller = await identify(context, credential, (device) => c.set("device", device));
    if (caller === null) {
      const barred = await barCodeOf(context.catalog, sha256Hex(credential), context.nowMs());
      refuse(barred === null ? "unknown-credential" : barred.code);
      if (barred !== null) throw barredError(barred.code);
      throw new ApiError(
        401,
        "Unknown credential",
        "devices: enrol again; administrators: use the text of admin.token in the source's data folder",
      );
    }
    if (!callers.includes(caller)) {
      refuse("wrong-caller");
      throw new ApiError(
        403,
        `This request is not allowed for ${caller === "admin" ? "administrators" : "devices"}`,
      );
    }
    c.set("caller", caller);
    await next();
  });
}

/** Counts a refused request by its reason. */
export function countRefusal(context: SourceContext, c: Context<SourceEnv>, why: Refusal): void {
  context.refused.count(why, c.env.remoteAddress, c.req.path, context.nowMs());
}

/** @throws ApiError 401 for a request without a credential */
export function credentialIn(context: SourceContext, c: Context<SourceEnv>): string {
  const header = c.req.header("authorization") ?? "";
  const credential = /^Bearer\s+(\S{1,512})$/i.exec(header)?.[1];
  if (credential !== undefined) return credential;
  countRefusal(context, c, "no-credential");
  throw new ApiError(
    401,
    "No credential",
    "send the header Authorization: Bearer, with a device's credential or the administrator's token",
  );
}

async function identify(
  { catalog, secrets, nowMs }: SourceContext,
  credential: string,
  setDevice: (device: SourceEnv["Variables"]["device"]) => void,
): Promise<Caller | null> {
  if (secretsEqual(readToken(credential)?.secret ?? "", secrets.admin)) return "admin";
  const device = await catalog.devices.byCredential(sha256Hex(credential));
  if (device === null) return null;
  if (nowMs() - device.lastSeenAtMs > lastSeenStepMs) await catalog.devices.touch([device.id], nowMs());
  setDevice(device);
  return "device";
}
