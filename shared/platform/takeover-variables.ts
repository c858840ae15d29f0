/** Variables that make the runtime load files, open a debugger, or print secrets. */
export const takeoverVariables: ReadonlySet<string> = new Set([
  "BUN_BE_BUN",
  "BUN_CONFIG_VERBOSE_FETCH",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_INSPECT_NOTIFY",
  "BUN_INSPECT_PRELOAD",
  "BUN_OPTIONS",
  "BUN_RUNTIME_TRANSPILER_CACHE_PATH",
  "NODE_OPTIONS",
  "NODE_PATH",
]);
