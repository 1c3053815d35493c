import { expect, test } from "bun:test";
import { readConfig } from "./config.ts";
import { publicConfig } from "./public-config.ts";

test("what others may read holds no secret", () => {
  const environment = {
    SLUICE_ADMIN_TOKEN: "hush-admin-0123456789",
    DATABASE_URL: "postgres://user:hush-db@db.example:5432/sluice?password=hush-query",
    REDIS_URL: "redis://:hush-redis@cache.example:6379/1",
    S3_ENDPOINT: "http://hush:hush@s3.example:9000",
    S3_BUCKET: "models",
    S3_ACCESS_KEY_ID: "hush-key",
    S3_SECRET_ACCESS_KEY: "hush-secret-0123",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=hush-header",
  };
  const told = publicConfig(readConfig(environment, false));
  expect(JSON.stringify(told)).not.toContain("hush");
  expect(told).toMatchObject({
    databaseUrl: "postgres://db.example:5432/sluice",
    redisUrl: "redis://cache.example:6379/1",
    s3: { endpoint: "http://s3.example:9000", bucket: "models", region: "us-east-1" },
    tracing: { endpoint: "http://collector.example:4318" },
    port: 8400,
  });
});
