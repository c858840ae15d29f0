/** Moves the signing keys of a source into this browser: consequences, recovery file, hand-over. */
import { useEffect, useState } from "preact/hooks";
import { MakeKeys } from "./recovery-form.tsx";
import { signingProblem, type SigningProblem } from "./new-keys.ts";
import { takeOver, takeOverAnchor } from "./take-over.ts";
import { signingMessages } from "./words.ts";

/** State of the browser: `unknown` until it is examined. */
export function useSigningProblem(): SigningProblem | null | "unknown" {
  const [problem, setProblem] = useState<SigningProblem | null | "unknown">("unknown");
  useEffect(() => void signingProblem().then(setProblem), []);
  return problem;
}

/** @param done runs after the hand-over */
export function BrowserPlace({ done }: { done?: () => Promise<unknown> }) {
  const { place, problems } = signingMessages.value;
  const problem = useSigningProblem();
  return (
    <>
      {[place.broken, place.lost, place.work].map((text) => (
        <p key={text}>{text}</p>
      ))}
      {problem === null && (
        <MakeKeys
          uses={["root", "signing"]}
          anchorOf={takeOverAnchor}
          submit={place.begin}
          finish={async (keys) => {
            await takeOver(keys);
            await done?.();
          }}
        />
      )}
      {problem !== null && problem !== "unknown" && <p role="alert">{problems[problem]}</p>}
    </>
  );
}
