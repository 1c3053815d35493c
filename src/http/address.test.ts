import { expect, test } from "bun:test";
import { addressOf } from "./address.ts";

test.each([
  ["192.0.2.1", null, 0, "192.0.2.1"],
  // What anybody can write does not count.
  ["192.0.2.1", "198.51.100.7", 0, "192.0.2.1"],
  ["::ffff:192.0.2.1", null, 0, "192.0.2.1"],
  ["2001:db8:0:1:a:b:c:d", null, 0, "2001:db8:0:1::/64"],
  ["2001:DB8::1", null, 0, "2001:db8:0:0::/64"],
  ["2001:0db8:0000:0001::1", null, 0, "2001:db8:0:1::/64"],
  ["::1", null, 0, "0:0:0:0::/64"],
  ["fe80::1%eth0", null, 0, "fe80:0:0:0::/64"],
  // One proxy: what it wrote is last, whatever stands before.
  ["10.0.0.1", "198.51.100.7", 1, "198.51.100.7"],
  ["10.0.0.1", "1.1.1.1, 198.51.100.7", 1, "198.51.100.7"],
  ["10.0.0.1", "1.1.1.1,2001:db8::5", 1, "2001:db8:0:0::/64"],
  ["10.0.0.1", "198.51.100.7:4711", 1, "198.51.100.7"],
  ["10.0.0.1", "[2001:db8::5]:4711", 1, "2001:db8:0:0::/64"],
  ["10.0.0.1", "[2001:db8::5]", 1, "2001:db8:0:0::/64"],
  // Two: the last was written by the inner one about the outer one.
  ["10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", 2, "198.51.100.7"],
  ["10.0.0.1", "198.51.100.7", 2, "10.0.0.1"],
  // Nonsense, or nothing.
  ["10.0.0.1", "unknown", 1, "10.0.0.1"],
  ["10.0.0.1", "1.2.3.4, ", 1, "10.0.0.1"],
  ["10.0.0.1", "999.1.1.1", 1, "10.0.0.1"],
  ["10.0.0.1", "", 1, "10.0.0.1"],
  ["10.0.0.1", null, 1, "10.0.0.1"],
])("%s with X-Forwarded-For %p behind %d proxies is %s", (socket, forwarded, proxies, address) => {
  expect(addressOf(socket, forwarded, proxies)).toBe(address);
});
