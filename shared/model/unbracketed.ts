/** Hosts of URLs: an IPv6 address is in brackets there, and nowhere else. */

/** Returns a host without the brackets of an IPv6 address. */
export const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");
