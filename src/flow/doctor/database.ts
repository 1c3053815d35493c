/*
 * The database: reachable, new enough, of this program's schema, with a clock like ours.
 */
import type { Database } from "../../store/database.ts";
import { type Drift, schemaDrift, schemaVersion } from "../../store/drift.ts";
import { serverFacts } from "../../store/server.ts";
import { tableSizes } from "../../store/sizes.ts";
import { bytesText, type Finding, failed, found, ok, warning } from "./finding.ts";

const OLDEST = 14;
const NEWEST = 18;
const SKEW_MS = 2_000;
/** Leases are a minute of the machines' own time: beyond this two may hold one. */
const BAD_SKEW_MS = 30_000;
/** Things that a sentence names; the rest is counted. */
const NAMED = 12;

/** Findings of an open database. One that does not answer is one finding, not five. */
export async function databaseFindings(database: Database): Promise<readonly Finding[]> {
  const fix = "Check that DATABASE_URL points at a running Postgres that this machine may reach.";
  const reached = await found("database", fix, async () => {
    await database.ping(5_000);
    return serverFindings(database);
  });
  if (reached[0]?.state === "failed") return reached;
  return [
    ...reached,
    ...(await found("schema", "Run `sluice migrate`.", () => versionFinding(database))),
    ...(await found("schema drift", MAY_CREATE, () => driftFinding(database))),
    ...(await found("table sizes", "Try again.", () => sizesFinding(database))),
  ];
}

async function serverFindings(database: Database): Promise<readonly Finding[]> {
  const { version, skewMs, tookMs } = await serverFacts(database);
  const major = Math.floor(version / 10_000);
  const kind = database.kind === "embedded" ? "embedded Postgres" : "Postgres";
  const told = `${kind} ${major}.${version % 10_000} answers in ${tookMs} ms`;
  const versions = `Use Postgres ${OLDEST} to ${NEWEST}.`;
  const server =
    major < OLDEST
      ? failed("database", `${told}; older than ${OLDEST} is not supported`, versions)
      : major > NEWEST
        ? warning("database", `${told}; newer than ${NEWEST} was never tried`, versions)
        : ok("database", told);
  if (database.kind === "embedded") return [server];
  return [server, skewFinding("database clock", skewMs, SKEW_MS + tookMs / 2, BAD_SKEW_MS)];
}

/** A clock that differs from this machine's: milliseconds it is ahead, what is well, what is bad. */
export function skewFinding(check: string, skewMs: number, well: number, bad: number): Finding {
  const far = Math.abs(skewMs);
  const told = `${(far / 1_000).toFixed(1)} s ${skewMs < 0 ? "behind" : "ahead of"} this machine`;
  const fix = "Let NTP set the clocks of all machines (timedatectl set-ntp true).";
  if (far > bad) return failed(check, told, fix);
  return far > well ? warning(check, told, fix) : ok(check, told);
}

async function versionFinding(database: Database): Promise<Finding> {
  const { applied, newest, missing, foreign } = await schemaVersion(database);
  if (foreign.length > 0) {
    const told = `has migrations that this program does not know as they are: ${named(foreign)}`;
    return failed("schema", told, "Run the version of Sluice that migrated it.");
  }
  if (applied === null) {
    return warning("schema", "no migration was applied yet", "Start Sluice, or `sluice migrate`.");
  }
  if (missing.length > 0) {
    const told = `is at migration ${applied}; still to be applied: ${named(missing)}`;
    return warning("schema", told, "Start Sluice, or `sluice migrate`.");
  }
  return ok("schema", `is at migration ${newest}, the newest`);
}

/** Where it cannot be looked at. */
const MAY_CREATE = "Let the database's user create schemas, as the queue needs it too.";
const DRIFT_FIX =
  "Put back what is named, as drizzle/*.sql makes it, or restore a backup; then look again.";

async function driftFinding(database: Database): Promise<Finding> {
  const { missing, changed, unknown }: Drift = await schemaDrift(database);
  const parts = [
    ...(missing.length > 0 ? [`missing: ${named(missing)}`] : []),
    ...(changed.length > 0 ? [`otherwise: ${named(changed)}`] : []),
    ...(unknown.length > 0 ? [`not from a migration: ${named(unknown)}`] : []),
  ];
  if (parts.length === 0) return ok("schema drift", "all is as the migrations make it");
  if (missing.length + changed.length > 0)
    return failed("schema drift", parts.join("; "), DRIFT_FIX);
  return warning("schema drift", parts.join("; "), "Remove it unless it was put there on purpose.");
}

async function sizesFinding(database: Database): Promise<Finding> {
  const sizes = await tableSizes(database);
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  const each = sizes.slice(0, 5).map(({ table, bytes }) => `${table} ${bytesText(bytes)}`);
  return ok("table sizes", `${bytesText(total)}: ${each.join(", ")}`);
}

const named = (names: readonly string[]): string =>
  names.length <= NAMED
    ? names.join(", ")
    : `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more`;
