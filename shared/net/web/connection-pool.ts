/**
 * Keeps requests off stale connections after the device has changed its network.
 *
 * Bun pools idle HTTP connections for the whole process, so this state is per process too. After a
 * change the pooled connections lead nowhere, and a request on one would wait for its timeout.
 * Until the pool has dropped them, each request opens a new connection.
 */

/** Upper bound on the time for which Bun keeps an idle connection. */
const poolIdleMs = 330_000;

let freshUntilMs = Number.NEGATIVE_INFINITY;

/** Called after the network has changed: connections opened before `nowMs` are not reused. */
export function dropPooledConnections(nowMs = performance.now()): void {
  freshUntilMs = nowMs + poolIdleMs;
}

/** Value of the `keepalive` option of fetch. */
export const mayReuseConnections = (): boolean => performance.now() >= freshUntilMs;
