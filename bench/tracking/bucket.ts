/*
 * A bucket of a benchmark, emptied and removed: what was sent into it is large.
 */
import { Client } from "minio";
import type { S3Access } from "../../scripts/services.ts";

/** Removes the bucket and all that is in it, where it is there. */
export async function emptyBucket(
  { endpoint, key, secret }: S3Access,
  bucket: string,
): Promise<void> {
  const { hostname, port, protocol } = new URL(endpoint);
  const client = new Client({
    ...{ endPoint: hostname, port: Number(port), useSSL: protocol === "https:" },
    ...{ accessKey: key, secretKey: secret, region: "us-east-1" },
  });
  if (!(await client.bucketExists(bucket))) return;
  for await (const { name } of client.listObjectsV2(bucket, "", true)) {
    if (name !== undefined) await client.removeObject(bucket, name);
  }
  await client.removeBucket(bucket);
}
