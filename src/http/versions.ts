/*
 * Versions from outside: an ONNX file becomes a version of a model, which is made where there is
 * none of its name.
 */
import * as v from "valibot";
import { registeredAnswer } from "./answers.ts";
import { mediaType, unsupportedMedia } from "./body.ts";
import { exact } from "./fields.ts";
import { type GuardedRoute, route } from "./route.ts";
import { IMPORT_DEADLINE_MS, streamOf } from "./stream.ts";
import { versionView } from "./views.ts";

const TYPE = "application/octet-stream";
const onnx = v.pipe(v.string(), v.description("The bytes of an ONNX file, 256 MiB at most."));
const FORM = "expected one text of 1 to 1000 characters";
const description = v.optional(
  v.pipe(
    v.string(FORM),
    v.minLength(1, FORM),
    v.maxLength(1_000, FORM),
    v.check((text) => !text.includes("\0"), FORM),
    v.description("What the version is, in words."),
  ),
);

export const versionRoutes: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/admin/models/:model/versions",
    group: "admin",
    tag: "models",
    summary: "Register an ONNX file as the model's next version",
    query: exact({ description }),
    takes: { [TYPE]: onnx },
    deadlineMs: IMPORT_DEADLINE_MS,
    gives: registeredAnswer,
    handle: async ({ services, params, query, request, actor }) => {
      const type = mediaType(request);
      if (type !== TYPE) throw unsupportedMedia(type, [TYPE]);
      const bytes = await bytesOf(request);
      const order = { name: params.model, bytes, actor, description: query.description };
      const { version, unchanged } = await services.operations.register(order);
      return { model: version.name, unchanged, ...versionView(version) };
    },
  }),
];

/** The whole body, of whatever length streams may have: a runtime wants all of a model at once. */
async function bytesOf(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamOf(request)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
