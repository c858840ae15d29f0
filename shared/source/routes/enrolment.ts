/**
 * Routes by which a device gets its identity: with the enrolment token, or, where several agents
 * use one credential, with that credential and the number of the process.
 */
import { Hono, type Context } from "hono";
import {
  enrollCloneRequestSchema,
  enrollRequestSchema,
  enrollResponseSchema,
  type EnrollResponse,
} from "../../api/schema/agent.ts";
import { decideEnrolment, type EnrolmentDecision, type KnownMachine } from "../../model/enrolment.ts";
import { canonicalAddress } from "../../model/subnet.ts";
import { runFor, type Act } from "../acting.ts";
import { ApiError } from "../api-error.ts";
import { countRefusal, credentialIn, tokenBy } from "../auth.ts";
import { barCodeOf, barredError } from "../barred-credential.ts";
import type { MachineClaim } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { addressKey, type EnrolmentLimits } from "../rate-limit.ts";
import { sha256Hex } from "../sha256-hex.ts";

/** Identities that one credential gives: an image may be on many machines. */
const clonesMax = 1_000;
/** Name of the action in the audit. */
const enrolmentName = "POST /v1/agent/enroll";

export function enrolmentRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addEnrolment(routes, context);
  addClones(routes, context);
  return routes;
}

/** Returns a new id and credential. */
export function newIdentity({ randomBytes, nowMs }: SourceContext) {
  const credential = Buffer.from(randomBytes(32)).toString("base64url");
  return {
    id: Buffer.from(randomBytes(8)).toString("hex"),
    credential,
    credentialSha256: sha256Hex(credential),
    enrolledAtMs: nowMs(),
  };
}

function addEnrolment(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog } = context;
  routes.post(
    "/enroll",
    documented({
      summary: "Exchange an enrolment token for a credential",
      audience: ["anyone"],
      answer: enrollResponseSchema,
    }),
    limitBody(16_384),
    jsonBody(enrollRequestSchema),
    async (c) => {
      const { token: text, ...about } = c.req.valid("json");
      limitEnrolments(context, c, "byAddress", canonicalAddress(c.env.remoteAddress));
      const token = await tokenBy(context, c, text, "enrolment");
      if (token === null) {
        countRefusal(context, c, "wrong-token");
        const hint = "copy the whole line of the file enroll.token in the source's data folder";
        throw new ApiError(401, "The enrolment token is not one of this source", hint);
      }
      const party = { actor: token.name, kind: "token" } as const;
      limitEnrolments(context, c, "byToken", token.id, party);
      const { credential, ...identity } = newIdentity(context);
      const device = { ...about, ...identity };
      const { id: tokenId, name, tags, needsApproval, isImaging } = token;
      const connected = await connectedOf(context, { ...about, isImaging });
      const terms = { tokenId, name, tags, needsApproval, isImaging };
      // A machine that lost its power starts with the boot image again, and keeps nothing else.
      const approvesTakeovers = token.approvesTakeovers || isImaging;
      const act = { ...party, address: canonicalAddress(c.env.remoteAddress), action: enrolmentName };
      const enrolled = await runFor(act, () =>
        catalog.life.enroll(device, terms, (known) =>
          decideEnrolment(withConnections(known, connected), approvesTakeovers),
        ),
      );
      if (enrolled === null) {
        countRefusal(context, c, "ended-token", party);
        const hint = "an administrator can create another one";
        throw new ApiError(401, `The token "${name}" was used by as many devices as it is for`, hint);
      }
      const { deviceId, decision } = enrolled;
      const { hostname } = device;
      note(context, { device: deviceId, hostname, address: act.address, enrolledWith: name }, decision);
      const answer: EnrollResponse = { deviceId, credential, deployment: catalog.deployment };
      return c.json(answer);
    },
  );
}

/** @throws ApiError 429 when there were too many enrolments of the key; agents try again later */
export function limitEnrolments(
  context: SourceContext,
  c: Context<SourceEnv>,
  by: keyof EnrolmentLimits,
  of: string,
  party?: Pick<Act, "actor" | "kind">,
): void {
  const key = by === "byToken" ? of : addressKey(of);
  const retryAfterMs = context.enrolments[by].take(key, context.nowMs());
  if (retryAfterMs === 0) return;
  countRefusal(context, c, "too-many-enrolments", party);
  const whose = by === "byToken" ? "with this token" : "from this address";
  const refused = new ApiError(
    429,
    `There were too many enrolments ${whose} in a short time`,
    "try again later",
  );
  refused.retryAfterMs = retryAfterMs;
  throw refused;
}

/** Returns the devices of the machine's identity that answer. */
async function connectedOf(
  { catalog, liveness, nowMs }: SourceContext,
  claim: MachineClaim,
): Promise<ReadonlySet<string>> {
  if (claim.machine === null) return new Set();
  const known = await catalog.life.sameMachine(claim, nowMs());
  const answers = await Promise.all(known.map(({ id }) => liveness.answers(id)));
  return new Set(known.filter((_, at) => answers[at]).map(({ id }) => id));
}

const withConnections = (known: readonly KnownMachine[], connected: ReadonlySet<string>): KnownMachine[] =>
  known.map((one) => Object.assign({}, one, { isConnected: connected.has(one.id) }));

/** Logs and counts an enrolment. The identity of the machine stays out of the log. */
function note(
  { log, metrics, changeHub, enrolmentWatch, nowMs }: SourceContext,
  fields: { device: string; hostname: string; address: string; enrolledWith: string },
  decision: EnrolmentDecision,
): void {
  if (decision.kind !== "new") {
    // A connection of the earlier credential ends.
    changeHub.disconnect(fields.device);
    metrics.deviceEvents.inc({ event: decision.kind === "takeover" ? "taken-over" : "repeated" });
    if (decision.kind === "repeat") log.info(fields, "device enrolled again: its first answer was lost");
    else
      log.warn(
        { ...fields, suspended: decision.suspended },
        "a new installation on the same machine took over a device: the old credential is barred",
      );
    return;
  }
  metrics.deviceEvents.inc({ event: "enrolled" });
  enrolmentWatch.count(fields.address, nowMs());
  if (decision.why === "unknown") log.info(fields, "device enrolled");
  else
    log.warn(
      { ...fields, why: decision.why, suspended: decision.suspended },
      "device enrolled under a new id, although a device of the same machine is known",
    );
}

function addClones(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log, metrics, nowMs } = context;
  routes.post(
    "/enroll/clone",
    documented({
      summary: "Exchange a credential that several agents use for one of this process alone, once",
      audience: ["device"],
      answer: enrollResponseSchema,
    }),
    limitBody(16_384),
    jsonBody(enrollCloneRequestSchema),
    async (c) => {
      const barred = await barCodeOf(catalog, sha256Hex(credentialIn(context, c)), nowMs());
      if (barred?.code !== "device-cloned") {
        countRefusal(context, c, barred?.code ?? "unknown-credential");
        if (barred !== null) throw barredError(barred.code);
        throw new ApiError(401, "Unknown credential", "devices: enrol with the token");
      }
      const about = c.req.valid("json");
      const { credential, ...identity } = newIdentity(context);
      const from = barred.deviceId;
      const address = canonicalAddress(c.env.remoteAddress);
      const act = { actor: from, kind: "device", address, action: `${enrolmentName}/clone` } as const;
      const given = await runFor(act, () =>
        catalog.life.enrollClone({ ...about, ...identity }, from, clonesMax),
      );
      if (given.result === "used")
        throw new ApiError(409, "This process has its own identity already", "restart the agent");
      if (given.result !== "enrolled") throw barredError("device-removed");
      const { deviceId } = given;
      metrics.deviceEvents.inc({ event: "clone-enrolled" });
      log.warn(
        { device: deviceId, from, hostname: about.hostname, address },
        "an agent with a copied identity enrolled under a new id",
      );
      const answer: EnrollResponse = { deviceId, credential, deployment: catalog.deployment };
      return c.json(answer);
    },
  );
}
