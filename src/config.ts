/*
 * The environment, read once and checked whole: every wrong variable is named together with its
 * value (secrets excepted) and what is accepted. Nothing else in the program reads process.env.
 */
import { resolve } from "node:path";
import * as v from "valibot";
import { type Fault, SluiceError } from "./errors.ts";

/** URLs and headers may hold passwords too. */
const secretNames = /(?<!RATE_)TOKEN|SECRET|_URL$|_ENDPOINT$|_HEADERS$/;
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

const wholeNumber = (least: number, most: number) => {
  const accepted = `expected a whole number from ${least} to ${most}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, accepted),
    v.transform(Number),
    v.minValue(least, accepted),
    v.maxValue(most, accepted),
  );
};

const SHARE = "expected a number from 0 to 1";
const share = v.pipe(
  v.string(),
  v.regex(/^(\d+(\.\d*)?|\.\d+)$/, SHARE),
  v.transform(Number),
  v.maxValue(1, SHARE),
);

/** So many requests in so many seconds. */
export interface Rate {
  readonly requests: number;
  readonly seconds: number;
}

const RATE = "expected requests per second, minute or hour, such as 100/s, 6000/m or 50000/h";
const SECONDS = { s: 1, m: 60, h: 3_600 } as const;
const rate = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,8}\/[smh]$/, RATE),
  v.transform((s): Rate => {
    const [requests, unit] = s.split("/");
    return { requests: Number(requests), seconds: SECONDS[unit as keyof typeof SECONDS] };
  }),
);

const HEADERS = "expected name=value pairs, comma-separated, values percent-encoded";
/** As the OpenTelemetry specification writes them: `name=value,name=value`. */
const headers = v.pipe(
  v.string(),
  v.check((s) => headersIn(s) !== null, HEADERS),
  v.transform((s): Readonly<Record<string, string>> => headersIn(s) ?? {}),
);

const SAMPLERS = [
  ...(["always_on", "always_off", "traceidratio"] as const),
  ...(["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"] as const),
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

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
  S3_PUBLIC_ENDPOINT: v.optional(url(["http:", "https:"])),
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
  SLUICE_DRAIN: v.optional(wholeNumber(0, 600)),
  SLUICE_LOG: v.optional(v.picklist(["pretty", "json"], "expected pretty or json")),
  SLUICE_OPEN: v.optional(openGroups),
  SLUICE_LOADED_MB: v.optional(wholeNumber(1, 1_000_000), "512"),
  SLUICE_ARTIFACTS_MB: v.optional(wholeNumber(1, 1_000_000), "1024"),
  SLUICE_RETAIN_RUNS_DAYS: v.optional(wholeNumber(0, 36_500), "90"),
  SLUICE_RETAIN_TRAININGS_DAYS: v.optional(wholeNumber(0, 36_500), "90"),
  SLUICE_RETAIN_FORECASTS_DAYS: v.optional(wholeNumber(0, 36_500), "1825"),
  SLUICE_RETAIN_QUARANTINE_DAYS: v.optional(wholeNumber(0, 36_500), "365"),
  SLUICE_RETAIN_VERSIONS: v.optional(wholeNumber(0, 1_000_000), "50"),
  SLUICE_ACCESS_LOG: v.optional(
    v.picklist(["off", "errors", "all"], "expected off, errors or all"),
    "errors",
  ),
  SLUICE_CACHE: v.optional(
    v.picklist(["off", "memory", "redis"], "expected off, memory or redis"),
    "off",
  ),
  SLUICE_CACHE_TTL: v.optional(wholeNumber(1, 86_400), "60"),
  SLUICE_CACHE_SIZE: v.optional(wholeNumber(1, 100_000), "64"),
  SLUICE_SAMPLE: v.optional(share, "0"),
  SLUICE_SAMPLE_MB: v.optional(wholeNumber(1, 1_000_000), "64"),
  SLUICE_MAX_CONCURRENT: v.optional(wholeNumber(1, 1_000_000), "1024"),
  SLUICE_RATE_TOKEN: v.optional(rate),
  SLUICE_RATE_ADDRESS: v.optional(rate),
  SLUICE_TRUST_PROXY: v.optional(wholeNumber(0, 10), "0"),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(url(["http:", "https:"])),
  OTEL_EXPORTER_OTLP_HEADERS: v.optional(headers, ""),
  OTEL_EXPORTER_OTLP_PROTOCOL: v.optional(
    v.literal("http/json", "expected http/json, which every OTLP/HTTP collector takes"),
  ),
  OTEL_SERVICE_NAME: v.optional(v.string(), "sluice"),
  OTEL_TRACES_SAMPLER: v.optional(
    v.picklist(SAMPLERS, `expected one of ${SAMPLERS.join(", ")}`),
    "parentbased_traceidratio",
  ),
  OTEL_TRACES_SAMPLER_ARG: v.optional(share, "1"),
});

export interface S3Config {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  /** Where clients of the tracking protocol reach the same server, if they do. */
  readonly publicEndpoint?: string;
}

/** How long rows are kept, in days, and how many versions of a model; null: for ever, all. */
export interface RetainConfig {
  readonly runsDays: number | null;
  readonly trainingsDays: number | null;
  readonly forecastsDays: number | null;
  readonly quarantineDays: number | null;
  readonly versions: number | null;
}

export interface LimitsConfig {
  /** Requests under way at once. */
  readonly concurrent: number;
  readonly token: Rate | null;
  readonly address: Rate | null;
  /** How many proxies in front may be believed; 0: the address is the socket's. */
  readonly proxies: number;
}

export interface TracingConfig {
  /** The collector's base; spans go to /v1/traces below it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string;
  readonly sampler: SamplerName;
  /** The share that a sampler by ratio keeps. */
  readonly ratio: number;
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
  /** How long it still answers what comes after SIGTERM, while /readyz sends callers elsewhere. */
  readonly drainMs: number;
  readonly log: "pretty" | "json";
  readonly open: readonly OpenGroup[];
  /** Which requests have a line in the log: none, those that failed or were slow, all. */
  readonly accessLog: "off" | "errors" | "all";
  /** Where answers are remembered, for how long, and how much of them in memory; null: nowhere. */
  readonly cache: {
    readonly kind: "memory" | "redis";
    readonly ttlMs: number;
    readonly bytes: number;
  } | null;
  /** Which predict requests are kept with their answers, and how much of them; null: none. */
  readonly sample: { readonly share: number; readonly bytes: number } | null;
  readonly limits: LimitsConfig;
  /** What versions beside the champions may take in memory together. */
  readonly loadedBytes: number;
  /** What copies of an S3 server's artifacts may take on the disk. */
  readonly artifactsBytes: number;
  /** What the daily retention keeps. */
  readonly retain: RetainConfig;
  /** Where spans are sent; null: nowhere. */
  readonly tracing: TracingConfig | null;
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
    ...cacheFaults(given),
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
    drainMs: (env.SLUICE_DRAIN ?? (env.DATABASE_URL === undefined ? 0 : DRAIN_SECONDS)) * 1_000,
    log: env.SLUICE_LOG ?? (terminal ? "pretty" : "json"),
    open: env.SLUICE_OPEN ?? (loopback ? ["read", "predict"] : []),
    accessLog: env.SLUICE_ACCESS_LOG,
    cache:
      env.SLUICE_CACHE === "off"
        ? null
        : {
            kind: env.SLUICE_CACHE,
            ttlMs: env.SLUICE_CACHE_TTL * 1_000,
            bytes: env.SLUICE_CACHE_SIZE * 1_000_000,
          },
    sample:
      env.SLUICE_SAMPLE === 0
        ? null
        : { share: env.SLUICE_SAMPLE, bytes: env.SLUICE_SAMPLE_MB * 1_000_000 },
    loadedBytes: env.SLUICE_LOADED_MB * 1_000_000,
    artifactsBytes: env.SLUICE_ARTIFACTS_MB * 1_000_000,
    limits: {
      concurrent: env.SLUICE_MAX_CONCURRENT,
      token: env.SLUICE_RATE_TOKEN ?? null,
      address: env.SLUICE_RATE_ADDRESS ?? null,
      proxies: env.SLUICE_TRUST_PROXY,
    },
    retain: {
      runsDays: env.SLUICE_RETAIN_RUNS_DAYS || null,
      trainingsDays: env.SLUICE_RETAIN_TRAININGS_DAYS || null,
      forecastsDays: env.SLUICE_RETAIN_FORECASTS_DAYS || null,
      quarantineDays: env.SLUICE_RETAIN_QUARANTINE_DAYS || null,
      versions: env.SLUICE_RETAIN_VERSIONS || null,
    },
    tracing: tracingOf(env),
    simulated: false,
  };
}

/**
 * The `Authorization` header for another tracking server, from what its own clients are told by: a
 * user and a password, else a token, else what the address says; null for none of them.
 */
export function trackingAccess(environment: Environment, url: URL): string | null {
  const basic = (user: string, password: string) =>
    `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const user = environment["MLFLOW_TRACKING_USERNAME"];
  const password = environment["MLFLOW_TRACKING_PASSWORD"];
  if (user && password) return basic(user, password);
  const token = environment["MLFLOW_TRACKING_TOKEN"];
  if (token) return `Bearer ${token}`;
  if (url.username === "") return null;
  return basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
}

/** Where there may be others to answer, a balancer is given this long to learn of the stop. */
const DRAIN_SECONDS = 3;

const tracingOf = (env: v.InferOutput<typeof schema>): TracingConfig | null =>
  env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, ""),
        headers: env.OTEL_EXPORTER_OTLP_HEADERS,
        service: env.OTEL_SERVICE_NAME,
        sampler: env.OTEL_TRACES_SAMPLER,
        ratio: env.OTEL_TRACES_SAMPLER_ARG,
      };

/** The headers that a text names, or null where it is no such list. */
function headersIn(text: string): Record<string, string> | null {
  const pairs = text.split(",").filter((part) => part.trim() !== "");
  const entries: [string, string][] = [];
  for (const pair of pairs) {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) return null;
    const decoded = decodedValue(value);
    if (decoded === null) return null;
    entries.push([name, decoded]);
  }
  return Object.fromEntries(entries);
}

/** A value without its percent signs; null where it is malformed or no header may hold it. */
function decodedValue(value: string): string | null {
  try {
    const text = decodeURIComponent(value);
    return /^[\x20-\x7e]*$/.test(text) ? text : null;
  } catch {
    return null;
  }
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

/** A cache in Redis needs one. */
const cacheFaults = (given: Environment): Fault[] =>
  given["SLUICE_CACHE"] === "redis" && given["REDIS_URL"] === undefined
    ? [{ path: "REDIS_URL", message: "is needed when SLUICE_CACHE is redis" }]
    : [];

const s3Of = (env: v.InferOutput<typeof schema>): S3Config | null =>
  env.S3_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.S3_ENDPOINT,
        bucket: env.S3_BUCKET ?? "",
        accessKey: env.S3_ACCESS_KEY_ID ?? "",
        secretKey: env.S3_SECRET_ACCESS_KEY ?? "",
        region: env.S3_REGION,
        ...(env.S3_PUBLIC_ENDPOINT === undefined ? {} : { publicEndpoint: env.S3_PUBLIC_ENDPOINT }),
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
