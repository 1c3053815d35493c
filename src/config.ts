/*
 * The environment, read once and checked whole: every wrong variable is named together with its
 * value (secrets excepted) and what is accepted. Nothing else in the program reads process.env.
 */
import { resolve } from "node:path";
import * as v from "valibot";
import { type Fault, SluiceError } from "./errors.ts";

/** URLs may hold passwords too. */
const secretNames = /TOKEN|SECRET|_URL$|_ENDPOINT$/;
const weakSecrets = /^(change-?me|password|secret|admin|minioadmin|token|test)[\w-]*$/i;

const url = (protocols: readonly string[]) =>
  v.pipe(
    v.string(),
    v.check(
      (s) => URL.canParse(s) && protocols.includes(new URL(s).protocol),
      `expected a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`,
    ),
  );

const port = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, "expected a whole number from 0 to 65535"),
  v.transform(Number),
  v.maxValue(65_535, "expected a whole number from 0 to 65535"),
);

const OPEN_GROUPS = ["read", "predict", "track"] as const;
export type OpenGroup = (typeof OPEN_GROUPS)[number];

const openGroups = v.pipe(
  v.string(),
  v.transform((s) => s.split(",").flatMap((part) => part.trim() || [])),
  v.array(v.picklist(OPEN_GROUPS, `expected a comma-separated list of ${OPEN_GROUPS.join(", ")}`)),
);

const token = v.pipe(
  v.string(),
  v.minLength(16, "expected at least 16 characters"),
  v.check((s) => !weakSecrets.test(s), "expected a secret that is not a well-known default"),
);

const schema = v.object({
  SLUICE_DATA: v.optional(v.pipe(v.string(), v.nonEmpty("expected a folder")), "./.sluice"),
  SLUICE_HOST: v.optional(v.pipe(v.string(), v.nonEmpty("expected a host")), "127.0.0.1"),
  SLUICE_PORT: v.optional(port, "8400"),
  SLUICE_ADMIN_TOKEN: v.optional(token),
  DATABASE_URL: v.optional(url(["postgres:", "postgresql:"])),
  REDIS_URL: v.optional(url(["redis:", "rediss:"])),
  S3_ENDPOINT: v.optional(url(["http:", "https:"])),
  S3_BUCKET: v.optional(
    v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected a bucket name")),
  ),
  S3_ACCESS_KEY_ID: v.optional(v.pipe(v.string(), v.nonEmpty("expected a key id"))),
  S3_SECRET_ACCESS_KEY: v.optional(v.pipe(v.string(), v.nonEmpty("expected a secret"))),
  S3_REGION: v.optional(v.pipe(v.string(), v.nonEmpty("expected a region")), "us-east-1"),
  UPBIT_URL: v.optional(url(["http:", "https:"]), "https://api.upbit.com"),
  SLUICE_CLOCK: v.optional(
    v.picklist(["system", "exchange"], "expected system or exchange"),
    "system",
  ),
  SLUICE_MODELS: v.optional(v.pipe(v.string(), v.nonEmpty("expected a folder"))),
  SLUICE_ROLE: v.optional(
    v.picklist(["all", "web", "worker"], "expected all, web or worker"),
    "all",
  ),
  SLUICE_LOG: v.optional(v.picklist(["pretty", "json"], "expected pretty or json")),
  SLUICE_OPEN: v.optional(openGroups),
});

export interface S3Config {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
}

export interface Config {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly adminToken: string | null;
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly s3: S3Config | null;
  readonly upbitUrl: string;
  readonly clock: "system" | "exchange";
  readonly modelsFolder: string | null;
  readonly role: "all" | "web" | "worker";
  readonly log: "pretty" | "json";
  readonly open: readonly OpenGroup[];
  /** Set by `sluice demo` only: every page and answer says that the exchange is simulated. */
  readonly simulated: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration, or `invalid_configuration` (exit code 78) naming every wrong variable. */
export function readConfig(environment: Environment, terminal: boolean): Config {
  // A variable set to nothing counts as absent: compose files pass empty strings for unset ones.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
  const parsed = v.safeParse(schema, given);
  const faults = [
    ...s3Faults(given),
    ...(parsed.success ? [] : parsed.issues.map((issue) => faultOf(issue, environment))),
  ];
  if (!parsed.success || faults.length > 0) throw invalid(faults);
  const env = parsed.output;
  const loopback = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/.test(env.SLUICE_HOST);
  return {
    data: resolve(env.SLUICE_DATA),
    host: env.SLUICE_HOST,
    port: env.SLUICE_PORT,
    adminToken: env.SLUICE_ADMIN_TOKEN ?? null,
    databaseUrl: env.DATABASE_URL ?? null,
    redisUrl: env.REDIS_URL ?? null,
    s3: s3Of(env),
    upbitUrl: env.UPBIT_URL.replace(/\/+$/, ""),
    clock: env.SLUICE_CLOCK,
    modelsFolder: env.SLUICE_MODELS === undefined ? null : resolve(env.SLUICE_MODELS),
    role: env.SLUICE_ROLE,
    log: env.SLUICE_LOG ?? (terminal ? "pretty" : "json"),
    open: env.SLUICE_OPEN ?? (loopback ? ["read", "predict"] : []),
    simulated: false,
  };
}

const S3_NEEDED = ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const;

/** An S3 server is described whole or not at all. */
function s3Faults(given: Environment): Fault[] {
  const absent = S3_NEEDED.filter((name) => given[name] === undefined);
  if (absent.length === S3_NEEDED.length) return [];
  const faults = absent.map((path) => ({
    path: path as string,
    message: "is needed when another S3_ variable is set",
  }));
  if (weakSecrets.test(given["S3_SECRET_ACCESS_KEY"] ?? "")) {
    const message = "expected a secret that is not a well-known default";
    faults.push({ path: "S3_SECRET_ACCESS_KEY", message });
  }
  return faults;
}

const s3Of = (env: v.InferOutput<typeof schema>): S3Config | null =>
  env.S3_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.S3_ENDPOINT,
        bucket: env.S3_BUCKET ?? "",
        accessKey: env.S3_ACCESS_KEY_ID ?? "",
        secretKey: env.S3_SECRET_ACCESS_KEY ?? "",
        region: env.S3_REGION,
      };

function faultOf(issue: v.BaseIssue<unknown>, environment: Environment): Fault {
  const name = String(issue.path?.[0]?.key ?? "");
  const shown = secretNames.test(name) ? "the value given" : `"${environment[name] ?? ""}"`;
  return { path: name, message: `${shown} is not accepted: ${issue.message}` };
}

const invalid = (faults: readonly Fault[]): SluiceError =>
  new SluiceError({
    code: "invalid_configuration",
    detail: faults.map((fault) => `${fault.path}: ${fault.message}.`).join(" "),
    fix: "Correct the environment variables named and start again.",
    faults,
  });
