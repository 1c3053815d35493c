/*
 * A bucket of somebody else on the S3 server that is configured, to be read and never written.
 */
import { Client } from "minio";
import type { S3Config } from "../config.ts";

export interface Bucket {
  /** Every object whose key begins so. */
  below(prefix: string): AsyncIterable<{ readonly key: string; readonly size: number }>;
  /** The bytes of an object as they come. */
  read(key: string): AsyncIterable<Uint8Array>;
}

/** The bucket of that name. */
export function openBucket(config: S3Config, bucket: string): Bucket {
  const { endpoint, accessKey, secretKey, region } = config;
  const url = new URL(endpoint);
  const client = new Client({
    endPoint: url.hostname,
    port: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    useSSL: url.protocol === "https:",
    ...{ accessKey, secretKey, region },
  });
  return {
    below: async function* (prefix) {
      for await (const item of client.listObjectsV2(bucket, prefix, true)) {
        if (item.name !== undefined) yield { key: item.name, size: item.size };
      }
    },
    read: async function* (key) {
      for await (const chunk of await client.getObject(bucket, key)) yield chunk as Uint8Array;
    },
  };
}
