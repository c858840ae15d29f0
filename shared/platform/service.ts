/**
 * A service of the operating system: a program that starts with the machine and is started again
 * when it fails. `serviceManager` of each system installs one: systemd, launchd, or the service
 * control manager of Windows.
 */

/** Names of the services, which are also those of their programs. */
export const serviceNames = ["flockcast-peer", "flockcast-source"] as const;
export type ServiceName = (typeof serviceNames)[number];

export type ServiceSpec = {
  readonly name: ServiceName;
  readonly description: string;
  /** Absolute path of the program, and its words. */
  readonly command: readonly string[];
  /** Folder that the program writes, and files in it that its user has to be able to read. */
  readonly dataFolder: string;
  readonly files: readonly string[];
  /** User that the program runs as, where the system has such users; null: the system itself. */
  readonly user: string | null;
  /** Exit statuses after which the program is not started again. */
  readonly finalStatuses: readonly number[];
  /** Whether commands that the program has started continue when the program stops. */
  readonly keepsChildren: boolean;
};

export const serviceStates = [
  "running",
  "starting",
  "stopping",
  "stopped",
  "failed",
  "not-installed",
  "unknown",
] as const;
export type ServiceState = (typeof serviceStates)[number];

export type ServiceStatus = {
  readonly state: ServiceState;
  readonly startsAtBoot: boolean;
  /** Process of the service; null while none runs, or when the system does not tell. */
  readonly pid: number | null;
};

/** A service manager refused. The message names the service and what to do. */
export class ServiceError extends Error {}

/** Each operation resolves when the system has done it, or throws a ServiceError. */
export type ServiceManager = {
  /** Words for messages: "systemd". */
  readonly name: string;
  /** Whether the manager keeps what the program writes to standard error, within a bound. */
  readonly keepsLog: boolean;
  /** Whether the manager runs, so that a service can be started. */
  readonly isRunning: () => boolean;
  /** Data folder if none is given. */
  readonly dataFolderOf: (name: ServiceName) => string;
  /** Words that the program needs to be a service here. */
  readonly words: readonly string[];
  /**
   * Installs the service, or changes an installed one. Does not start it.
   * @returns notes for the administrator, such as a firewall rule that could not be made
   */
  install(spec: ServiceSpec): Promise<readonly string[]>;
  /** Stops and removes the service. Data stays. Does nothing if there is none. */
  remove(name: ServiceName): Promise<void>;
  /** Does nothing if the service runs. */
  start(name: ServiceName): Promise<void>;
  /** Does nothing if the service does not run. */
  stop(name: ServiceName): Promise<void>;
  status(name: ServiceName): Promise<ServiceStatus>;
};

/** Connection of a process to the service manager that started it. */
export type ServiceConnection = {
  /**
   * Reports the end of the process. Call it as the last.
   * @param status 0: the service ended as asked; other values make the system start it again
   */
  ended(status: number): void;
};
