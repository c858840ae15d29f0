/** End of the HTTP servers of a source. */

/** Ends the servers at once for new connections, and after `drainMs` for open requests. */
export async function stopServers(servers: readonly Bun.Server<undefined>[], drainMs: number): Promise<void> {
  await Promise.race([Promise.all(servers.map((server) => server.stop())), Bun.sleep(drainMs)]);
  await Promise.all(servers.map((server) => server.stop(true)));
}
