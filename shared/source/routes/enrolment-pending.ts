/**
 * Route by which a machine that was started for an image enrols without a token. It gets nothing
 * until an administrator approves the code on its screen. Anybody can send this request, so the
 * list is bounded, its entries end after an hour, and the source takes none unless asked to.
 */
import type { Hono } from "hono";
import {
  enrollPendingRequestSchema,
  enrollResponseSchema,
  type EnrollResponse,
} from "../../api/schema/agent.ts";
import { approvalCodeText } from "../../model/approval-code-text.ts";
import { approvalCode } from "../../model/approval-code.ts";
import { canonicalAddress } from "../../model/subnet.ts";
import { ApiError } from "../api-error.ts";
import { countRefusal } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { pendingMsMax } from "../imaging-devices.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { limitEnrolments, newIdentity } from "./enrolment.ts";

/** Machines that wait at the same time: a room of them, that a person can compare with screens. */
export const pendingMax = 100;
/** Tag of these machines, by which a task names them. */
export const pendingTag = "imaging";

export function addPendingEnrolment(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log, metrics, acceptsPendingImaging } = context;
  routes.post(
    "/enroll/imaging",
    documented({
      summary: "Enrol a machine that only gets an image, without a token; it waits for an approval",
      audience: ["anyone"],
      answer: enrollResponseSchema,
    }),
    limitBody(16_384),
    jsonBody(enrollPendingRequestSchema),
    async (c) => {
      const address = canonicalAddress(c.env.remoteAddress);
      limitEnrolments(context, c, "pending", address);
      if (!acceptsPendingImaging) {
        countRefusal(context, c, "pending-refused");
        const hint = "give the machine a token, or start the source with serve --pending-imaging";
        throw new ApiError(403, "This source takes no machine without an enrolment token", hint);
      }
      const { credential, ...identity } = newIdentity(context);
      const code = approvalCode(identity.credentialSha256);
      const device = { ...c.req.valid("json"), ...identity };
      if (!(await catalog.life.enrollPending(device, { code, tags: [pendingTag] }, pendingMax))) {
        countRefusal(context, c, "pending-refused");
        const hint = "approve or remove some of them, or wait: each leaves the list after an hour";
        const full = new ApiError(429, `${pendingMax} machines wait for an approval already`, hint);
        full.retryAfterMs = pendingMsMax / 60;
        throw full;
      }
      metrics.deviceEvents.inc({ event: "imaging-pending" });
      const about = { device: device.id, hostname: device.hostname, address, code: approvalCodeText(code) };
      log.warn(
        about,
        "a machine without a token waits for an image: compare the code with its screen, then device approve",
      );
      const answer: EnrollResponse = { deviceId: device.id, credential, deployment: catalog.deployment };
      return c.json(answer);
    },
  );
}
