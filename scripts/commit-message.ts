/*
 * `bun scripts/commit-message.ts FILE`: the check that lefthook runs on a commit's message.
 */

const types = "build chore ci docs feat fix perf refactor revert style test".split(" ");
const maxTitle = 72;
const form = new RegExp(`^(?:${types.join("|")})(?:\\([a-z0-9-]+\\))?!?: \\S`);

/** What is wrong with the message, or null. The form is that of Conventional Commits. */
export function faultOf(message: string): string | null {
  // Git cuts comments off only after this hook has run.
  const [title = "", second = ""] = message.split("\n").filter((line) => !line.startsWith("#"));
  // Git writes these itself; they go away in a rebase or stay as they are.
  if (/^(?:Merge|Revert|fixup!|squash!|amend!) /.test(title)) return null;
  if (!form.test(title)) {
    return (
      `"${title}" is no conventional title. It is TYPE: TEXT or TYPE(ROOM): TEXT, such as ` +
      `"fix(market): ask again for a hole", where TYPE is one of ${types.join(", ")}.`
    );
  }
  if (title.length > maxTitle) {
    return `The title has ${title.length} characters; the most is ${maxTitle}.`;
  }
  if (title.endsWith(".")) return "The title ends with a full stop; titles have none.";
  if (second.trim() !== "") return "Leave the second line empty: the body starts on the third.";
  return null;
}

if (import.meta.main) {
  const fault = faultOf(await Bun.file(process.argv[2] ?? "").text());
  if (fault !== null) {
    console.error(fault);
    process.exit(1);
  }
}
