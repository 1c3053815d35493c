import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { type Config, readConfig } from "./config.ts";
import { SluiceError } from "./errors.ts";

type Environment = Record<string, string>;

function refused(environment: Environment): SluiceError {
  try {
    readConfig(environment, false);
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error(`accepted: ${JSON.stringify(environment)}`);
}

const pathsOf = (error: SluiceError) => [...new Set(error.faults.map((f) => f.path))].sort();

const SECRET = "a-long-enough-s3cret-of-mine";
const S3 = {
  S3_ENDPOINT: "http://127.0.0.1:9000",
  S3_BUCKET: "sluice",
  S3_ACCESS_KEY_ID: "sluice",
  S3_SECRET_ACCESS_KEY: SECRET,
};

const OTEL = {
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318/",
  OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, x-scope = a=b ",
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_SERVICE_NAME: "sluice-kr",
  OTEL_TRACES_SAMPLER: "traceidratio",
  OTEL_TRACES_SAMPLER_ARG: "0.25",
};

describe("defaults", () => {
  const defaults: Config = {
    data: resolve("./.sluice"),
    host: "127.0.0.1",
    port: 8400,
    adminToken: null,
    databaseUrl: null,
    redisUrl: null,
    s3: null,
    upbitUrl: "https://api.upbit.com",
    clock: "system",
    modelsFolder: null,
    role: "all",
    drainMs: 0,
    log: "json",
    open: ["read", "predict"],
    accessLog: "errors",
    cache: null,
    sample: null,
    loadedBytes: 512_000_000,
    artifactsBytes: 1_024_000_000,
    retain: {
      runsDays: 90,
      trainingsDays: 90,
      forecastsDays: 1_825,
      quarantineDays: 365,
      versions: 50,
    },
    limits: { concurrent: 1_024, token: null, address: null, proxies: 0 },
    tracing: null,
    simulated: false,
  };

  test("of an environment that says nothing", () => {
    expect(readConfig({}, false)).toEqual(defaults);
  });

  test("the log is for people on a terminal only", () => {
    expect(readConfig({}, true)).toEqual({ ...defaults, log: "pretty" });
    expect(readConfig({ SLUICE_LOG: "json" }, true).log).toBe("json");
    expect(readConfig({ SLUICE_LOG: "pretty" }, false).log).toBe("pretty");
  });

  test("a variable set to nothing is absent, for every variable", () => {
    const names = [
      ...["SLUICE_DATA", "SLUICE_HOST", "SLUICE_PORT", "SLUICE_ADMIN_TOKEN", "DATABASE_URL"],
      ...["REDIS_URL", "UPBIT_URL", "SLUICE_CLOCK", "SLUICE_MODELS", "SLUICE_ROLE", "SLUICE_LOG"],
      ...["SLUICE_OPEN", "S3_REGION", ...Object.keys(S3), ...Object.keys(OTEL)],
      ...["SLUICE_ACCESS_LOG", "SLUICE_SAMPLE", "SLUICE_SAMPLE_MB", "SLUICE_MAX_CONCURRENT"],
      ...["SLUICE_RATE_TOKEN", "SLUICE_RATE_ADDRESS", "SLUICE_TRUST_PROXY"],
      ...["SLUICE_CACHE", "SLUICE_CACHE_TTL", "SLUICE_CACHE_SIZE"],
    ];
    expect(readConfig(Object.fromEntries(names.map((name) => [name, ""])), false)).toEqual(
      defaults,
    );
  });

  test("variables of other programs are none of its business", () => {
    expect(readConfig({ PORT: "x", SLUICE_TEST_DATABASE_URL: "y" }, false)).toEqual(defaults);
  });
});

describe("good values", () => {
  const good: [Environment, Partial<Config>][] = [
    [{ SLUICE_DATA: "some/folder" }, { data: resolve("some/folder") }],
    [{ SLUICE_DATA: "/var/lib/sluice" }, { data: "/var/lib/sluice" }],
    [{ SLUICE_PORT: "0" }, { port: 0 }],
    [{ SLUICE_PORT: "65535" }, { port: 65_535 }],
    [{ SLUICE_ADMIN_TOKEN: "0123456789abcdef" }, { adminToken: "0123456789abcdef" }],
    [{ DATABASE_URL: "postgres://u:p@h/d" }, { databaseUrl: "postgres://u:p@h/d", drainMs: 3_000 }],
    [{ DATABASE_URL: "postgresql://h/d" }, { databaseUrl: "postgresql://h/d", drainMs: 3_000 }],
    [{ REDIS_URL: "redis://:p@h:6379/1" }, { redisUrl: "redis://:p@h:6379/1" }],
    [{ REDIS_URL: "rediss://h" }, { redisUrl: "rediss://h" }],
    [{ UPBIT_URL: "http://127.0.0.1:9/" }, { upbitUrl: "http://127.0.0.1:9" }],
    [{ UPBIT_URL: "https://x/proxy//" }, { upbitUrl: "https://x/proxy" }],
    [{ SLUICE_CLOCK: "exchange" }, { clock: "exchange" }],
    [{ SLUICE_MODELS: "models" }, { modelsFolder: resolve("models") }],
    [{ SLUICE_ROLE: "web" }, { role: "web" }],
    [{ SLUICE_ROLE: "worker" }, { role: "worker" }],
    [{ SLUICE_DRAIN: "20" }, { drainMs: 20_000 }],
    [
      { DATABASE_URL: "postgres://h/d", SLUICE_DRAIN: "0" },
      { databaseUrl: "postgres://h/d", drainMs: 0 },
    ],
    [{ SLUICE_OPEN: "track" }, { open: ["track"] }],
    [{ SLUICE_OPEN: " read , predict,track," }, { open: ["read", "predict", "track"] }],
  ];
  const LIMITS = { concurrent: 1_024, token: null, address: null, proxies: 0 };
  const limits: [Environment, Partial<Config["limits"]>][] = [
    [{ SLUICE_MAX_CONCURRENT: "1" }, { concurrent: 1 }],
    [{ SLUICE_RATE_TOKEN: "100/s" }, { token: { requests: 100, seconds: 1 } }],
    [{ SLUICE_RATE_TOKEN: "6000/m" }, { token: { requests: 6_000, seconds: 60 } }],
    [{ SLUICE_RATE_ADDRESS: "5/h" }, { address: { requests: 5, seconds: 3_600 } }],
    [{ SLUICE_TRUST_PROXY: "2" }, { proxies: 2 }],
  ];
  test.each(limits)("%o", (environment, wanted) => {
    expect(readConfig(environment, false).limits).toEqual({ ...LIMITS, ...wanted });
  });

  test("where answers are remembered, for how long and how many", () => {
    const cacheOf = (environment: Environment) => readConfig(environment, false).cache;
    const memory = { kind: "memory", ttlMs: 60_000, bytes: 64e6 } as const;
    expect(cacheOf({ SLUICE_CACHE: "memory" })).toEqual(memory);
    const given = { SLUICE_CACHE: "redis", SLUICE_CACHE_TTL: "5", SLUICE_CACHE_SIZE: "1" };
    const REDIS_URL = "redis://127.0.0.1";
    expect(cacheOf({ ...given, REDIS_URL })).toEqual({ kind: "redis", ttlMs: 5_000, bytes: 1e6 });
    expect(cacheOf({ ...given, SLUICE_CACHE: "off" })).toBeNull();
    expect(pathsOf(refused(given))).toEqual(["REDIS_URL"]);
    for (const wrong of ["on", "Memory"]) {
      expect(pathsOf(refused({ SLUICE_CACHE: wrong }))).toEqual(["SLUICE_CACHE"]);
    }
    expect(pathsOf(refused({ SLUICE_CACHE_TTL: "0" }))).toEqual(["SLUICE_CACHE_TTL"]);
  });

  test("what is kept of payloads: a share and a bound", () => {
    const sampleOf = (environment: Environment) => readConfig(environment, false).sample;
    expect(sampleOf({ SLUICE_SAMPLE: "0.01" })).toEqual({ share: 0.01, bytes: 64e6 });
    const small = { SLUICE_SAMPLE: "1", SLUICE_SAMPLE_MB: "2" };
    expect(sampleOf(small)).toEqual({ share: 1, bytes: 2e6 });
    expect(sampleOf({ SLUICE_SAMPLE: "0.0" })).toBeNull();
    expect(sampleOf({ SLUICE_SAMPLE_MB: "2" })).toBeNull();
  });

  test("tracing is on where the collector is named", () => {
    expect(readConfig(OTEL, false).tracing).toEqual({
      endpoint: "http://127.0.0.1:4318",
      headers: { authorization: "Bearer x", "x-scope": "a=b" },
      service: "sluice-kr",
      sampler: "traceidratio",
      ratio: 0.25,
    });
    const { OTEL_EXPORTER_OTLP_ENDPOINT, ...others } = OTEL;
    expect(readConfig(others, false).tracing).toBeNull();
    expect(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT }, false).tracing).toMatchObject({
      ...{ service: "sluice", sampler: "parentbased_traceidratio", ratio: 1, headers: {} },
    });
  });

  test.each(good)("%o", (environment, wanted) => {
    expect(readConfig(environment, false)).toMatchObject(wanted);
  });

  test("S3 with the region it is given, or the usual one", () => {
    const s3 = {
      endpoint: S3.S3_ENDPOINT,
      bucket: "sluice",
      accessKey: "sluice",
      secretKey: SECRET,
    };
    expect(readConfig(S3, false).s3).toEqual({ ...s3, region: "us-east-1" });
    expect(readConfig({ ...S3, S3_REGION: "ap-northeast-2" }, false).s3).toEqual({
      ...s3,
      region: "ap-northeast-2",
    });
    const publicEndpoint = "https://s3.example.org";
    expect(readConfig({ ...S3, S3_PUBLIC_ENDPOINT: publicEndpoint }, false).s3).toEqual({
      ...{ ...s3, region: "us-east-1", publicEndpoint },
    });
  });

  test("what is open by default depends on who can reach the address", () => {
    for (const host of ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]"]) {
      expect(readConfig({ SLUICE_HOST: host }, false).open).toEqual(["read", "predict"]);
    }
    const reachable = [
      "0.0.0.0",
      "::",
      "192.168.0.4",
      "example.com",
      "127.example.com",
      "1270.0.0",
    ];
    for (const host of [...reachable, "localhost.example.com"]) {
      expect([host, readConfig({ SLUICE_HOST: host }, false).open]).toEqual([host, []]);
    }
    const asked = readConfig({ SLUICE_HOST: "0.0.0.0", SLUICE_OPEN: "read" }, false);
    expect(asked.open).toEqual(["read"]);
  });
});

describe("bad values", () => {
  // Variable, value, and what the message must say is accepted.
  const bad: [string, string, string][] = [
    ["SLUICE_PORT", "65536", "0 to 65535"],
    ["SLUICE_PORT", "-1", "0 to 65535"],
    ["SLUICE_PORT", "80.5", "0 to 65535"],
    ["SLUICE_PORT", "http", "0 to 65535"],
    ["SLUICE_PORT", " 80", "0 to 65535"],
    ["SLUICE_PORT", "0x50", "0 to 65535"],
    ["SLUICE_CLOCK", "utc", "system or exchange"],
    ["SLUICE_ROLE", "leader", "all, web or worker"],
    ["SLUICE_DRAIN", "601", "a whole number from 0 to 600"],
    ["SLUICE_LOG", "xml", "pretty or json"],
    ["SLUICE_OPEN", "everything", "read, predict, track"],
    ["SLUICE_OPEN", "read,admin", "read, predict, track"],
    ["S3_BUCKET", "Not_A_Bucket", "bucket"],
    ["S3_BUCKET", "x", "bucket"],
    ["SLUICE_ACCESS_LOG", "some", "off, errors or all"],
    ["SLUICE_SAMPLE", "1.5", "0 to 1"],
    ["SLUICE_SAMPLE", "10%", "0 to 1"],
    ["SLUICE_SAMPLE", "1e-3", "0 to 1"],
    ["SLUICE_SAMPLE_MB", "0", "1 to 1000000"],
    ["SLUICE_MAX_CONCURRENT", "0", "1 to 1000000"],
    ["SLUICE_MAX_CONCURRENT", "many", "1 to 1000000"],
    ["SLUICE_RATE_TOKEN", "100", "100/s"],
    ["SLUICE_RATE_TOKEN", "0/s", "100/s"],
    ["SLUICE_RATE_ADDRESS", "1.5/s", "100/s"],
    ["SLUICE_RATE_ADDRESS", "100/d", "100/s"],
    ["SLUICE_TRUST_PROXY", "11", "0 to 10"],
    ["SLUICE_TRUST_PROXY", "true", "0 to 10"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json"],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_traceidratio"],
    ["OTEL_TRACES_SAMPLER_ARG", "2", "0 to 1"],
  ];
  test.each(bad)("%s=%s", (name, value, accepted) => {
    const environment = { ...(name.startsWith("S3_") ? S3 : {}), [name]: value };
    const error = refused(environment);
    expect(error.code).toBe("invalid_configuration");
    expect(error.fix).not.toBe("");
    expect(pathsOf(error)).toEqual([name]);
    expect(error.message).toContain(name);
    expect(error.message).toContain(value);
    expect(error.message).toContain(accepted);
  });

  // These may hold a password: the variable and what is accepted are named, the value is not.
  const secret: [string, string, string][] = [
    ["DATABASE_URL", "mysql://u:hunter2@h/d", "postgres://"],
    ["DATABASE_URL", "u:hunter2@h", "postgres://"],
    ["REDIS_URL", "http://:hunter2@h", "redis://"],
    ["UPBIT_URL", "ftp://hunter2", "https://"],
    ["S3_ENDPOINT", "ftp://u:hunter2@h", "http:// or https://"],
    ["SLUICE_ADMIN_TOKEN", "hunter2", "16 characters"],
    ["SLUICE_ADMIN_TOKEN", "hunter2hunter2x", "16 characters"],
    ["SLUICE_ADMIN_TOKEN", "changeme", "16 characters"],
    ["SLUICE_ADMIN_TOKEN", "changeme-changeme-changeme", "well-known default"],
    ["SLUICE_ADMIN_TOKEN", "Change-Me-0123456789", "well-known default"],
    ["SLUICE_ADMIN_TOKEN", "password12345678", "well-known default"],
    ["SLUICE_ADMIN_TOKEN", "minioadminminioadmin", "well-known default"],
    ["S3_SECRET_ACCESS_KEY", "minioadmin", "well-known default"],
    ["S3_SECRET_ACCESS_KEY", "changeme", "well-known default"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://u:hunter2@h", "http:// or https://"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=%hunter2", "percent-encoded"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0d%0ab:c", "percent-encoded"],
  ];
  test.each(secret)("%s is never printed (%s)", (name, value, accepted) => {
    const environment = { ...(name.startsWith("S3_") ? S3 : {}), [name]: value };
    const error = refused(environment);
    expect(error.code).toBe("invalid_configuration");
    expect(pathsOf(error)).toEqual([name]);
    expect(error.message).toContain(accepted);
    for (const text of [error.message, error.fix, JSON.stringify(error.faults)]) {
      expect(text).not.toContain(value);
      expect(text).not.toContain("hunter2");
    }
  });
});

describe("several faults", () => {
  test("are all named at once", () => {
    const error = refused({ SLUICE_PORT: "x", SLUICE_ROLE: "y", DATABASE_URL: "z" });
    expect(pathsOf(error)).toEqual(["DATABASE_URL", "SLUICE_PORT", "SLUICE_ROLE"]);
    for (const name of pathsOf(error)) expect(error.message).toContain(`${name}: `);
  });

  test("S3 is all or none, and each variable that lacks is named", () => {
    for (const [name, value] of Object.entries(S3)) {
      const others = Object.keys(S3).filter((other) => other !== name);
      expect(pathsOf(refused({ [name]: value }))).toEqual(others.sort());
      const { [name]: _, ...rest } = S3 as Environment;
      expect(pathsOf(refused(rest))).toEqual([name]);
    }
    expect(readConfig({ S3_REGION: "eu-west-1" }, false).s3).toBeNull();
  });

  test("a lacking S3 variable is named beside a wrong variable elsewhere", () => {
    const error = refused({ SLUICE_PORT: "x", S3_ENDPOINT: S3.S3_ENDPOINT });
    expect(pathsOf(error)).toEqual([
      ...["S3_ACCESS_KEY_ID", "S3_BUCKET", "S3_SECRET_ACCESS_KEY", "SLUICE_PORT"],
    ]);
  });
});
