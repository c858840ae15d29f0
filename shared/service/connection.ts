/**
 * Connection of a program to the service manager of Windows, which starts it with `--service`. The
 * manager is told of the end at the exit of the process, whatever the reason.
 */
import { platform } from "../platform/index.ts";
import { ServiceError, type ServiceName } from "../platform/service.ts";

/** Sets the function that is called when the service has to stop; the last one counts. */
export type StopsService = (stop: (by: string) => void) => void;

/**
 * @param isService whether the command line has `--service`
 * @param finalStatuses exit statuses after which another start changes nothing
 * @throws ServiceError on a system whose service manager uses signals
 */
export function connectService(
  name: ServiceName,
  isService: boolean,
  finalStatuses: readonly number[],
): StopsService {
  if (!isService) return () => {};
  if (platform.connectToManager === null)
    throw new ServiceError("--service is for the service manager of Windows: leave it out");
  let isAsked = false;
  let stop: ((by: string) => void) | null = null;
  const { name: manager } = platform.serviceManager;
  const connection = platform.connectToManager(name, () => {
    isAsked = true;
    stop?.(manager);
  });
  process.on("exit", (status) => connection.ended(finalStatuses.includes(status) ? 0 : status));
  return (next) => {
    stop = next;
    if (isAsked) next(manager);
  };
}
