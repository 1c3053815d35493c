/*
 * Files in a bucket; those in a folder are looked at with the database that names them
 * (`tables.test.ts`).
 */
import { expect, test } from "bun:test";
import { Client } from "minio";
import { openBucket } from "../../store/bucket.ts";
import { bucketFiles } from "./folder-files.ts";

const variable = (name: string): string => process.env[`SLUICE_TEST_S3_${name}`] ?? "";
const endpoint = variable("ENDPOINT");

test.skipIf(endpoint === "")("files below a prefix of a bucket, and none beside it", async () => {
  const url = new URL(endpoint);
  const keys = { accessKey: variable("KEY"), secretKey: variable("SECRET") };
  const client = new Client({
    ...{ endPoint: url.hostname, port: Number(url.port), useSSL: false, ...keys },
  });
  const bucket = `sluice-import-${crypto.randomUUID().slice(0, 8)}`;
  await client.makeBucket(bucket);
  const names = ["mlflow/7/r/artifacts/a b.txt", "mlflow/7/r/artifacts/d/ü.txt", "secret"];
  try {
    for (const name of names) await client.putObject(bucket, name, Buffer.from(name));
    const config = { endpoint, bucket: "other", region: "us-east-1", ...keys };
    const root = `s3://${bucket}/mlflow/`;
    const { files, read } = bucketFiles(root, openBucket(config, bucket));
    for (const uri of ["mlflow-artifacts:/7/r/artifacts", `${root}7/r/artifacts`]) {
      const holder = { of: "run", id: "r", uri } as const;
      const found = await Array.fromAsync(files(holder));
      expect(found.map(({ path }) => path).sort()).toEqual(["a b.txt", "d/ü.txt"]);
      const bytes = Buffer.concat(await Array.fromAsync(read(holder, "d/ü.txt")));
      expect(bytes.toString()).toBe(names[1]!);
    }
    for (const uri of [`s3://${bucket}`, "s3://another/mlflow", `s3://${bucket}/mlflowish/7`]) {
      const asked = Array.fromAsync(files({ of: "run", id: "r", uri }));
      await expect(asked).rejects.toMatchObject({ code: "import_skipped" });
    }
  } finally {
    for (const name of names) await client.removeObject(bucket, name);
    await client.removeBucket(bucket);
  }
});
