/*
 * Codes that only the command line tells of.
 */
import type { CodeRows } from "./row.ts";

export const commandCodes: CodeRows = {
  cannot_write: [
    "Cannot write",
    "A report or a backup cannot be written where it was to go.",
    "Give a folder that exists, can be written, and has room.",
  ],
  import_broken_off: [
    "File broken off",
    "A file of the server that is imported did not come whole; nothing of it was stored.",
    "Start the same import again: it goes on where it was.",
  ],
  import_skipped: [
    "Left out of an import",
    "One thing of the server that is imported cannot be brought; its report says why.",
    "Nothing else is affected by it.",
  ],
  import_unreachable: [
    "Import's source not read",
    "The server or the database that is imported does not answer, or is none of MLflow's.",
    "Look at it, and start the same import again: it goes on where it was.",
  ],
  interrupted: [
    "Interrupted",
    "Sluice was stopped before the command was done.",
    "Run it again: a pipeline run goes on at the step that it had reached.",
  ],
  no_admin_token: [
    "Administrator's token unknown",
    "A server holds the data folder, but its token can be read nowhere.",
    "Set SLUICE_ADMIN_TOKEN to the token that the server was started with.",
  ],
  not_a_demo_folder: [
    "Folder not the demo's",
    "The demo empties its folder, and this one holds files that no demo made.",
    "Move them away, or set SLUICE_DATA to another folder.",
  ],
  nothing_to_judge: [
    "Nothing to judge",
    "A backtest has no candle in its span with enough history before it.",
    "Collect more history, or give a later span.",
  ],
  port_unavailable: [
    "Cannot listen",
    "The address or the port is in use, or not this machine's.",
    "Stop what listens there, or set SLUICE_HOST and SLUICE_PORT.",
  ],
  server_unreachable: [
    "Server not reached",
    "The server that holds the data folder does not answer.",
    "See its log.",
  ],
  start_stopped: [
    "Stopped while starting",
    "Sluice was stopped before it had started.",
    "Start it again; the log tells more.",
  ],
  unexpected_answer: [
    "Not Sluice",
    "What listens at the address answered with something that is no JSON.",
    "Check what listens there.",
  ],
  unexpected_failure: [
    "Unexpected failure",
    "A command failed in a way that nobody foresaw.",
    "Report it together with the command and the log.",
  ],
  usage: ["Wrong usage", "The command was called wrongly (exit code 2).", "See `sluice --help`."],
};
