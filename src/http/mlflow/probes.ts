/*
 * What clients and balancers ask of the server itself.
 */
import { type Rpc, rawRpc } from "./route.ts";

/**
 * The version of the protocol. From 3.4 on, clients would send traces as protocol buffers to
 * `/v1/traces`, which nothing here reads.
 */
const PROTOCOL = "3.3.0";

const plain = (text: string): Response =>
  new Response(text, {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });

const probe = { method: "GET", role: "open", gives: "text/plain" } as const;

export const probeRpcs: readonly Rpc[] = [
  rawRpc({ ...probe, path: "/health", answer: () => plain("OK") }),
  rawRpc({ ...probe, path: "/version", answer: () => plain(PROTOCOL) }),
  rawRpc({
    method: "GET",
    path: "server-info",
    api: "3.0",
    role: "open",
    answer: ({ mlflow }) => {
      // A client that is told so goes to the object store itself, and fails where it cannot.
      const direct = mlflow.uploads.isPublic();
      return {
        ...{ store_type: "SqlStore", workspaces_enabled: false, trace_archival_enabled: false },
        ...{ multipart_uploads_enabled: direct, multipart_downloads_enabled: direct },
      };
    },
  }),
];
