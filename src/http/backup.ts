/*
 * A backup of everything while it runs.
 */
import * as v from "valibot";
import { reasonOf, SluiceError } from "../errors.ts";
import { exact } from "./fields.ts";
import { longAnswer } from "./long.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";

/** How long the rows may take to be read. */
const SNAPSHOT_MS = 30 * 60_000;
/** How long the client may take nothing of it. */
const SILENCE_MS = 60_000;

/** Servers that are at it: two at once would only take twice as long. */
const busy = new WeakSet<HttpServices>();

export const backupRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/admin/backup",
    group: "admin",
    tag: "backup",
    summary: "Rows, artifacts, model files and configuration without secrets, of one moment",
    query: exact({
      missing: v.optional(
        v.pipe(
          v.picklist(["skip"], "expected skip"),
          v.description("Goes on without artifacts that the object store does not have."),
        ),
      ),
    }),
    deadlineMs: SNAPSHOT_MS,
    gives: "application/x-tar",
    handle: async ({ services, query: { missing } }) => {
      if (busy.has(services)) throw running();
      busy.add(services);
      const free = () => busy.delete(services);
      try {
        const backup = await services.backup({ skipMissing: missing === "skip" });
        const { response, ended } = longAnswer(backup.bytes(), {
          headers: {
            "content-type": "application/x-tar",
            "content-disposition": `attachment; filename="${backup.name}"`,
            "cache-control": "no-store",
          },
          silenceMs: SILENCE_MS,
          farewell: (thrown) => {
            services.log.error("backup_failed", { reason: reasonOf(thrown) });
            return null;
          },
        });
        void ended.then(free).then(backup.discard);
        return response;
      } catch (thrown) {
        free();
        throw thrown;
      }
    },
  }),
];

const running = (): SluiceError =>
  new SluiceError({
    code: "backup_running",
    status: 409,
    detail: "A backup is being taken already.",
    fix: "Wait until it is done.",
  });
