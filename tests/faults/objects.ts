/*
 * Every artifact that a row names is there with its sha256, and after two sweeps no other is.
 */

import { makeSweep } from "../../src/registry/sweep.ts";
import { REMOVED } from "../../src/registry/version-rows.ts";
import { openPostgres } from "../../src/store/database.ts";
import { s3Objects } from "../../src/store/objects.ts";
import type { Counted, CountOne } from "./counts.ts";

export async function countObjects({ servers }: Counted, count: CountOne): Promise<void> {
  const objects = s3Objects(servers.s3);
  const named = await servers.database.rows<{ digest: string; versions: number }>(
    `select digest, max(version)::int as versions from (
      select digest, 0 as version from artifacts
      union all select digest, 1 from model_versions
        where digest is not null and current_stage <> '${REMOVED}') all_named
     group by digest`,
  );
  let right = 0;
  for (const { digest } of named) {
    // What is read is held against its digest.
    const bytes = await objects.get(digest).catch(() => null);
    if (bytes !== null) right++;
  }
  const versions = named.filter((row) => row.versions === 1).length;
  count(
    "artifacts there, with the right sha256",
    `${right} of ${named.length} (${versions} versions)`,
    right === named.length && versions > 0,
  );

  const names = new Set(named.map(({ digest }) => digest));
  const orphans = async () =>
    (await Array.fromAsync(objects.list())).filter((digest) => !names.has(digest)).length;
  const before = await orphans();
  const database = openPostgres(servers.database.url);
  try {
    const sweep = makeSweep({ database, objects, clock: { now: Date.now } });
    await sweep.sweepOrphans({ olderThanMs: 0 });
    await sweep.sweepOrphans({ olderThanMs: 0 });
  } finally {
    await database.close();
  }
  const after = await orphans();
  count(
    "artifacts that no row names, after the sweep",
    `${after} (before it ${before})`,
    after === 0,
  );
}
