/*
 * Codes of the database, the object store and what is kept in them.
 */
import type { CodeRows } from "./row.ts";

export const storeCodes: CodeRows = {
  artifact_corrupt: [
    "No ONNX model",
    "The bytes cannot be read as an ONNX model.",
    "Check their sha256; restore them from a backup.",
  ],
  artifact_unusable: [
    "Version cannot be served",
    "The artifact loads in no session, or does not say what it was made from.",
    "Train again; if the object was damaged, restore it from a backup.",
  ],
  backup_damaged: [
    "Backup damaged",
    "A backup file is cut short, or a part of it is not what was written. Nothing was restored.",
    "Use another backup, or copy the file again.",
  ],
  backup_running: [
    "Backup under way",
    "The server takes one backup at a time.",
    "Wait until it is done.",
  ],
  backup_too_new: [
    "Backup is newer",
    "A newer Sluice wrote the backup, in a form that this one does not know.",
    "Restore it with that version.",
  ],
  champion_not_loaded: [
    "Champion not loaded",
    "The champion's artifact could not be loaded.",
    "See the log; the load is tried again every second.",
  ],
  database_unreachable: [
    "Database not reached",
    "The database does not answer.",
    "Check DATABASE_URL and that Postgres runs.",
  ],
  disk_full: [
    "Disk full",
    "There is no room left for what a training writes.",
    "Make room on the disk of SLUICE_DATA; it is tried again.",
  ],
  folder_locked: [
    "Data folder in use",
    "Another process holds the data folder (exit code 3).",
    "Stop that process, or use another folder, or Postgres.",
  ],
  invalid_configuration: [
    "Configuration not accepted",
    "Environment variables have values that are not accepted (exit code 78).",
    "Correct the variables that are named.",
  ],
  invalid_model_file: [
    "Model file not accepted",
    "A model file has unknown, missing or wrong fields.",
    "Correct the field that is named.",
  ],
  migration_changed: [
    "Migration changed",
    "A migration that was applied has another text now.",
    "Restore its text as it was released.",
  ],
  non_finite_output: [
    "Model gave no number",
    "The model's answer holds a value that is not finite; it is not given out.",
    "Roll back to the version before, and report the run of this one.",
  ],
  nothing_to_back_up: [
    "Nothing to back up",
    "The data folder or the database holds nothing of Sluice.",
    "Check SLUICE_DATA and DATABASE_URL.",
  ],
  object_corrupt: [
    "Object damaged",
    "Stored bytes do not have the sha256 under which they are kept.",
    "Restore the object from a backup.",
  ],
  object_missing: [
    "Object missing",
    "The object store lacks bytes that the database names.",
    "Restore the object from a backup.",
  ],
  object_store_unreachable: [
    "Object store not reached",
    "The object store does not answer.",
    "Check S3_ENDPOINT, S3_BUCKET and the keys, or the free space of SLUICE_DATA.",
  ],
  onnx_refused: [
    "File cannot be served",
    "An ONNX file was not registered: `detail` tells which input or output, or what the runtime said.",
    "Export it with tensors in and out; under a name of its own if the name has a model file.",
  ],
  runtime_not_loaded: [
    "ONNX Runtime not loaded",
    "The native libraries that load models could not be unpacked into the data folder, or opened.",
    "Give SLUICE_DATA 60 MB of room, on a disk that programs may be loaded from.",
  ],
  schema_too_new: [
    "Database is newer",
    "A newer Sluice has migrated the database, or the one that a backup is of.",
    "Run that version, or restore a backup from before.",
  ],
  target_not_empty: [
    "Target not empty",
    "A backup is restored into an empty database only. Nothing was written.",
    "Name an empty one: another SLUICE_DATA, or another DATABASE_URL.",
  ],
};
