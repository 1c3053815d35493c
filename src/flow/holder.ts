/*
 * The name under which a process holds leases, made so that another process of the same machine
 * can tell at once whether it is dead: host, pid, and the moment that pid was started.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** This process's name: `host/boot id/pid namespace/pid/start`. */
export const holderOf = (pid: number = process.pid): string =>
  [hostname(), bootId(), pidNamespace(), pid, startOf(pid) ?? "unknown"].join("/");

/**
 * Whether the holder of a lease is surely dead: another process of this machine that has ended,
 * or that was started before the machine. Holders on other machines are judged by their lease.
 */
export function isDead(holder: string): boolean {
  const [host, boot, namespace, pid, start] = holder.split("/");
  if (host !== hostname() || pid === undefined) return false;
  if (boot !== bootId()) return boot !== "unknown";
  // In another container a pid is another process's, or nobody's.
  if (namespace !== pidNamespace()) return false;
  const now = startOf(Number(pid));
  return now === null ? !isAlive(Number(pid)) : start !== "unknown" && now !== start;
}

const bootId = (): string => readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";

/** Start time of a process in clock ticks since boot (field 22 of /proc/pid/stat), or null. */
function startOf(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the command in brackets and may hold spaces and brackets itself.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A zombie has ended; only its parent has not asked yet how.
  return fields?.[0] === "Z" ? "ended" : (fields?.[19] ?? null);
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "unknown";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
