/*
 * How an import fails: as a whole, or for one thing of many.
 */
import { SluiceError } from "../../errors.ts";

/** The source does not answer, or not as a tracking server does: nothing more can be brought. */
export const unreachable = (what: string, reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "import_unreachable",
    status: 502,
    detail: `${what}: ${reason.replace(/\.$/, "")}.`,
    fix: "Look at the source and start the import again: it goes on where it was.",
    cause,
  });

/** One thing cannot be brought, now or ever. */
export const skipped = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "import_skipped",
    status: 422,
    detail: reason,
    fix: "Nothing else is affected by it.",
    cause,
  });

export const isSkip = (thrown: unknown): thrown is SluiceError =>
  thrown instanceof SluiceError &&
  (thrown.code === "import_skipped" || thrown.code === "invalid_parameter");

/** A file did not come whole; it may the next time. */
export const brokenOff = (reason: string): SluiceError =>
  new SluiceError({
    code: "import_broken_off",
    status: 502,
    detail: reason,
    fix: "Start the import again: it goes on where it was.",
  });
