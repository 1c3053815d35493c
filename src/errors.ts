/**
 * The one error class. `code` names the kind (stable, snake_case, a heading in docs/errors.md),
 * `status` is the HTTP status it maps to, `detail` says what was wrong (value and place),
 * `fix` says what is accepted and what to do, `faults` lists each fault with its path.
 */
export class SluiceError extends Error {
  readonly code: string;
  readonly status: number;
  readonly fix: string;
  readonly faults: readonly Fault[];
  /** Seconds after which a repeat may succeed, or null when a repeat cannot help. */
  readonly retryAfter: number | null;
  /** Further headers of an answer that tells of it. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(options: ErrorFields) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SluiceError";
    this.code = options.code;
    this.status = options.status ?? 500;
    this.fix = options.fix ?? "";
    this.faults = options.faults ?? [];
    this.retryAfter = options.retryAfter ?? null;
    this.headers = options.headers ?? {};
  }
}

export interface Fault {
  readonly path: string;
  readonly message: string;
}

interface ErrorFields {
  readonly code: string;
  readonly status?: number;
  readonly detail: string;
  readonly fix?: string;
  readonly faults?: readonly Fault[];
  readonly retryAfter?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** The message of anything that was thrown. */
export const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);
