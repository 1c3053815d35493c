/*
 * Whose address a request comes from, for limits. What a caller writes into a header counts only
 * where a proxy of ours is known to have written after it.
 */
import { isIP } from "node:net";

/**
 * The address that limits count by: the socket's, or, behind `proxies` proxies that each append
 * to X-Forwarded-For, the one that the outermost of them saw. Of IPv6 it is the network of 64
 * bits, since a single home has that many addresses.
 */
export function addressOf(socket: string, forwarded: string | null, proxies: number): string {
  if (proxies === 0 || forwarded === null) return networkOf(socket);
  const hops = forwarded.split(",");
  // Fewer than there are proxies: it did not come through all of them.
  const told = hops[hops.length - proxies]?.trim() ?? "";
  const [, bracketed, plain] = /^(?:\[(.*)\](?::\d+)?|(.*?)(?::\d+)?)$/.exec(told) ?? [];
  const address = isIP(told) > 0 ? told : (bracketed ?? plain ?? "");
  return networkOf(isIP(address) > 0 ? address : socket);
}

/** An IPv4 address whole, of an IPv6 address its first 64 bits; anything else as it is. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const groups = (text: string | undefined) => (text ?? "").split(":").filter((g) => g !== "");
  const [first, last] = [groups(head), groups(tail)];
  const gap = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  const all = tail === undefined ? first : [...first, ...gap, ...last];
  const short = all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${short.join(":")}::/64`;
}
