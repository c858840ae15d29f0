/**
 * Bun keeps HTTP connections open for the next request, in one pool for the whole process; so this is one as well.
 * After the device changed its network the pooled ones are dead without knowing it, and a request on one of them would
 * wait for its timeout: until the pool has dropped them, requests take new connections.
 */

/** Longer than Bun keeps an idle connection. */
const poolIdleMs = 330_000;

let freshUntilMs = Number.NEGATIVE_INFINITY;

/** The network changed: connections that were opened until now lead nowhere. */
export function dropPooledConnections(nowMs = performance.now()): void {
  freshUntilMs = nowMs + poolIdleMs;
}

/** The `keepalive` option of fetch. */
export const mayReuseConnections = (): boolean => performance.now() >= freshUntilMs;
