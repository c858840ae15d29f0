/**
 * An agent that does not work, for the scenario agent-upgrade: prints its version when it is asked,
 * and otherwise never checks in.
 */
import { version } from "../../shared/version.ts";

if (process.argv[2] === "--version") console.log(version);
else {
  console.error("this agent is broken: it does not check in");
  setInterval(() => {}, 60_000);
}
