/*
 * The real services that the tests want: Postgres, Redis and an S3 server. Each is used from
 * outside when its variables are set, else found, installed or built, and started in a temporary
 * folder on a free loopback port. What cannot be had is named with the reason; its variables stay
 * unset, which tells the tests to skip.
 */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf } from "../src/errors.ts";
import { canInstall, install } from "./services/apt.ts";
import { postgresService } from "./services/postgres.ts";
import { redisService } from "./services/redis.ts";
import { s3Service } from "./services/s3.ts";
import type { Service, Started } from "./services/service.ts";

export interface Services {
  /** The variables to give to the tests. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly s3: S3Access | null;
  /** What could not be had, and why. */
  readonly missing: readonly Missing[];
  /** Ends what was started here and removes its folder; a second call does nothing. */
  readonly stop: () => Promise<void>;
}

export interface S3Access {
  readonly endpoint: string;
  readonly bucket: string;
  readonly key: string;
  readonly secret: string;
}

export interface Missing {
  readonly service: string;
  readonly reason: string;
}

/** All of them, in the order in which they are started. */
export const allServices: readonly Service[] = [postgresService, redisService, s3Service];

/**
 * Starts what the environment does not give. `SLUICE_TEST_SERVICES` narrows it: a list of names,
 * or `none`. Never rejects for a service that cannot be had; rejects for an unknown name.
 */
export async function startServices(
  services: readonly Service[] = allServices,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Services> {
  const wanted = namesIn(environment["SLUICE_TEST_SERVICES"]);
  const env: Record<string, string> = {};
  const missing: Missing[] = [];
  const started: Started[] = [];
  const folder = await mkdtemp(join(tmpdir(), "sluice-test-"));
  // Postgres runs as another user, who must be able to walk through to its own folder.
  await chmod(folder, 0o711);
  const lacking = (service: Service, reason: string) =>
    missing.push({ service: service.name, reason });

  const ours = services.filter((service) => {
    const given = service.variables.filter((name) => environment[name]);
    if (given.length === service.variables.length) {
      for (const name of given) env[name] = environment[name] ?? "";
      return false;
    }
    const absent = service.variables.filter((name) => !environment[name]);
    if (given.length > 0) lacking(service, `${given.join(", ")} set, but not ${absent.join(", ")}`);
    else if (wanted !== null && !wanted.includes(service.name))
      lacking(service, "left out by SLUICE_TEST_SERVICES");
    else return true;
    return false;
  });

  const refusal = await installMissing(ours);
  // One after the other: a build takes every core, and a slow start would look like a dead one.
  for (const service of ours) {
    try {
      const program = service.find() ?? (await service.build?.()) ?? null;
      if (program === null) {
        lacking(service, refusal ?? service.missing);
        continue;
      }
      const home = join(folder, service.name);
      await mkdir(home);
      const running = await service.start(program, home);
      started.push(running);
      Object.assign(env, running.env);
    } catch (thrown) {
      lacking(service, reasonOf(thrown));
    }
  }

  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= Promise.all(started.map((each) => each.stop())).then(() =>
      rm(folder, { recursive: true, force: true }),
    );
    return stopping;
  };
  return { env, missing, stop, ...accessIn(env) };
}

/** Asks apt-get for what is not there; returns why it could not help, or null. */
async function installMissing(services: readonly Service[]): Promise<string | null> {
  const absent = services.filter((service) => service.find() === null);
  const packages = absent.flatMap((service) => service.packages);
  if (packages.length === 0 || !canInstall()) return null;
  try {
    await install(packages);
    return null;
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

function namesIn(list: string | undefined): string[] | null {
  if (!list) return null;
  const names = list === "none" ? [] : list.split(",").map((name) => name.trim());
  const known = allServices.map(({ name }) => name as string);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new Error(
    `SLUICE_TEST_SERVICES: no service "${unknown}"; give "none" or some of ${known.join(",")}.`,
  );
}

function accessIn(env: Readonly<Record<string, string>>) {
  const endpoint = env["SLUICE_TEST_S3_ENDPOINT"];
  const bucket = env["SLUICE_TEST_S3_BUCKET"] ?? "";
  const key = env["SLUICE_TEST_S3_KEY"] ?? "";
  const secret = env["SLUICE_TEST_S3_SECRET"] ?? "";
  return {
    databaseUrl: env["SLUICE_TEST_DATABASE_URL"] ?? null,
    redisUrl: env["SLUICE_TEST_REDIS_URL"] ?? null,
    s3: endpoint === undefined ? null : { endpoint, bucket, key, secret },
  };
}
