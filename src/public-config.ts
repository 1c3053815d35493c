/*
 * The configuration as others may read it.
 */
import type { Config } from "./config.ts";

/** Without tokens, keys, passwords and headers; addresses keep host and path. */
export function publicConfig(config: Config): Readonly<Record<string, unknown>> {
  const { adminToken, databaseUrl, redisUrl, s3, tracing, upbitUrl, ...rest } = config;
  return {
    ...rest,
    databaseUrl: addressOf(databaseUrl),
    redisUrl: addressOf(redisUrl),
    upbitUrl: addressOf(upbitUrl),
    s3: s3 && {
      ...{ endpoint: addressOf(s3.endpoint), bucket: s3.bucket, region: s3.region },
      ...(s3.publicEndpoint && { publicEndpoint: addressOf(s3.publicEndpoint) }),
    },
    tracing: tracing && {
      ...{ endpoint: addressOf(tracing.endpoint), service: tracing.service },
      ...{ sampler: tracing.sampler, ratio: tracing.ratio },
    },
  };
}

/** An address without who asks, and without its query, where keys hide too. */
function addressOf(text: string | null): string | null {
  if (text === null) return null;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}
