/** About: version and health of the source, its keys, and the session of the viewer. */
import type { CallerView } from "../../../api/schema/users.ts";
import type { TrustView } from "../../../api/schema/trust.ts";
import type { Health } from "./answers.ts";
import { Badge, Facts, Heading, Shown, type Fact } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { time } from "./texts.ts";

const everyMs = 10_000;

export function AboutPage() {
  const words = messages.value.about;
  const health = useLoaded<Health>("/healthz", everyMs);
  const trust = useLoaded<TrustView>("/v1/trust");
  const session = useLoaded<CallerView>("/v1/session");
  return (
    <>
      <Heading text={words.title} />
      <Shown loaded={health}>
        {({ version, deployment }) => (
          <Facts
            facts={[
              [words.health, <Badge kind="good" text={words.healthy} />],
              [words.version, version],
              [words.deployment, String(deployment)],
            ]}
          />
        )}
      </Shown>
      <h2>{words.keys}</h2>
      <Shown loaded={trust}>
        {({ root, file }) => (
          <Facts
            facts={[
              [words.keysPlace, file.embedded ? words.keysHere : words.keysElsewhere],
              [words.roots, <code>{root}</code>],
            ]}
          />
        )}
      </Shown>
      <h2>{words.session}</h2>
      <Shown loaded={session}>{(person) => <Facts facts={factsOf(person)} />}</Shown>
      <p>{words.licence}</p>
    </>
  );
}

function factsOf({ name, role, scope, session }: CallerView): Fact[] {
  const words = messages.value.about;
  return [
    [messages.value.signIn.user, messages.value.signedInAs(name, messages.value.roles[role])],
    [words.scope, scope.join(", ") || words.everything],
    ...(session === null
      ? []
      : ([[words.ends, words.sessionEnds(time(session.endsAtMs), time(session.idleEndsAtMs))]] as const)),
  ];
}
