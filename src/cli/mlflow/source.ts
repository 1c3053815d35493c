/*
 * What can be brought over is read from a source: a running server, or what one has left in its
 * database and its folder of files, or a client without a server in its file store.
 */
import type {
  GivenExperiment,
  GivenLogged,
  GivenModel,
  GivenPoint,
  GivenRun,
  GivenVersion,
} from "../../registry/intake/given.ts";
import type { Note } from "./tally.ts";

/** Whose files: a run's or a logged model's, and where they are. */
export interface Holder {
  readonly of: "run" | "model";
  readonly id: string;
  readonly uri: string;
}

export interface GivenFile {
  /** Below the holder's address. */
  readonly path: string;
  /** Bytes; null where the source does not say. */
  readonly size: number | null;
}

export interface RunPage {
  readonly runs: readonly GivenRun[];
  /** Which share of the experiment's runs has come with it, from 0 to 1, as far as that is known. */
  readonly share: number;
}

/**
 * A tracking server's contents, in pages. Whatever throws `import_unreachable` ends the import;
 * `import_skipped` leaves out what was asked for, with the reason.
 */
export interface Source {
  /** How it is called in reports: without passwords. */
  readonly name: string;
  /** Where its files are read, where that may be told wrongly; part of what a mark is made of. */
  readonly root: string;
  /** What is in it and is not given, with the reason; grows while it is read. */
  readonly left: readonly Note[];
  /** What may be in it and cannot be seen this way, with what is known of it; asked at the end. */
  unseen?(): readonly Note[];
  experiments(): Promise<GivenExperiment[]>;
  /** Runs of an experiment, in an order of its own, deleted ones too. */
  runs(experimentId: string): AsyncIterable<RunPage>;
  /** Every point of every metric of the runs, in any order. */
  points(runs: readonly GivenRun[]): AsyncIterable<readonly GivenPoint[]>;
  logged(experimentId: string): AsyncIterable<readonly GivenLogged[]>;
  models(): Promise<GivenModel[]>;
  /** Versions of all models; deleted ones where the source still knows them. */
  versions(): Promise<GivenVersion[]>;
  files(holder: Holder): AsyncIterable<GivenFile>;
  read(holder: Holder, path: string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}
