/** A program that can be a service, as it describes itself to the commands of `service`. */
import type { Command } from "@commander-js/extra-typings";
import type { ServiceName } from "../platform/service.ts";

export type ServiceProgram = {
  readonly name: ServiceName;
  readonly description: string;
  /** Command that the service runs: "run". */
  readonly command: string;
  /** Adds the options of this command. */
  readonly addOptions: (command: Command) => void;
  /** Throws for options that the command would refuse. */
  readonly check: (options: Readonly<Record<string, unknown>>) => void;
  /** Creates the data folder for its user alone. */
  readonly prepareFolder: (folder: string) => Promise<void>;
  /** Removes files next to the program that the running service made. */
  readonly removeLeftovers: () => Promise<void>;
  /** User that the service runs as, where the system has such users; null: the system itself. */
  readonly user: string | null;
  /** Exit statuses after which the program is not started again. */
  readonly finalStatuses: readonly number[];
  /** Whether commands that the program started continue when it stops. */
  readonly keepsChildren: boolean;
};
