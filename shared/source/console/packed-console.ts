/**
 * Files of the console that an executable contains, by path: gzip, in base64. A script has none and
 * bundles them. The build puts another module in the place of this one
 * (scripts/build/pack-console.ts).
 */
export const packedConsole: Readonly<Record<string, string>> | null = null;
