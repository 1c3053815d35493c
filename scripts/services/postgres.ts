import { readdirSync } from "node:fs";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { findProgram, freePort, groupOf, guarded, launch, untilReady, userOf } from "./process.ts";
import type { Service } from "./service.ts";

const debian = "/usr/lib/postgresql";
const role = "sluice";
const database = "sluice_test";

/** Debian keeps the server's programs off PATH, a folder a major version: newest first. */
function places(): string[] {
  try {
    const versions = readdirSync(debian).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(debian, version, "bin"));
  } catch {
    return [];
  }
}

/** The folder that holds both `postgres` and `initdb`, or null. */
export function findPostgres(): string | null {
  const server = findProgram("postgres", places());
  return server !== null && findProgram("initdb", [dirname(server)]) ? dirname(server) : null;
}

/** A cluster of our own in `folder`: loopback only, a password, and no care for power loss. */
export const postgresService: Service = {
  name: "postgres",
  variables: ["SLUICE_TEST_DATABASE_URL"],
  packages: ["postgresql"],
  find: findPostgres,
  missing: "no postgres and initdb on PATH or below /usr/lib/postgresql",
  async start(bin, folder) {
    const user = process.getuid?.() === 0 ? unprivileged() : undefined;
    const password = crypto.randomUUID();
    const passwordFile = join(folder, "password");
    const data = join(folder, "data");
    await mkdir(data, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (user !== undefined) {
      await chmod(folder, 0o711);
      const owner = [userOf(user), groupOf(user)] as const;
      await Promise.all([data, passwordFile].map((path) => chown(path, ...owner)));
    }
    const initdb = [join(bin, "initdb"), "-D", data, "-U", role, "-A", "scram-sha-256"];
    initdb.push("--pwfile", passwordFile, "-E", "UTF8", "--locale=C", "--no-sync");
    const made = Bun.spawnSync(guarded(initdb, "SIGTERM", user), { cwd: folder });
    if (made.exitCode !== 0) throw new Error(`initdb failed: ${made.stderr.toString().trim()}`);

    const port = freePort();
    // No socket file: its path would have to fit in 107 bytes, and a TMPDIR can be longer.
    const settings = [
      `port=${port}`,
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=200",
      "fsync=off",
      "synchronous_commit=off",
      "full_page_writes=off",
      "timezone=UTC",
    ].flatMap((setting) => ["-c", setting]);
    const launchOptions = {
      name: "postgres",
      command: [join(bin, "postgres"), "-D", data, ...settings],
      log: join(folder, "log"),
      signal: "SIGINT",
      ...(user === undefined ? {} : { user }),
    } as const;
    const server = launch(launchOptions);
    const url = (name: string) => `postgres://${role}:${password}@127.0.0.1:${port}/${name}`;
    try {
      await untilReady(launchOptions, server, () => createDatabase(url("postgres")));
    } catch (thrown) {
      await server.stop();
      throw thrown;
    }
    return { env: { SLUICE_TEST_DATABASE_URL: url(database) }, launched: launchOptions, ...server };
  },
};

/** Makes the tests' database; rejects while the server does not take connections yet. */
async function createDatabase(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    await sql.unsafe(`create database ${database}`);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function unprivileged(): string {
  const names = ["postgres", "nobody"];
  const name = names.find((each) => Bun.spawnSync(["id", "-u", each]).exitCode === 0);
  if (name === undefined) throw new Error("Postgres refuses to run as root: no other user here.");
  return name;
}
