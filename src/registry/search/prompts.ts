/*
 * Prompts are models that a tag marks. Who does not ask for them does not get them, and a model
 * that lacks the tag is none.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Clause } from "./clauses.ts";

/** The tag of models and versions that are prompts: a text in another tag, and no files. */
export const IS_PROMPT = "mlflow.prompt.is_prompt";

/** Clauses on that tag as conditions, and the rest. `tags`: the tags of the searched row, as `p`. */
export function promptsOf(
  clauses: readonly Clause[],
  tags: SQL,
): { readonly prompts: SQL[]; readonly others: Clause[] } {
  const marked = sql`exists (select 1 from ${tags} and p.key = ${IS_PROMPT} and p.value = 'true')`;
  const prompts: SQL[] = [];
  const others: Clause[] = [];
  for (const clause of clauses) {
    const { name, operator, operand } = clause;
    const about = /^tags?$/.test(name.entity ?? "") && name.key === IS_PROMPT;
    const value = operand.kind === "text" ? operand.text : "";
    const plain = operator === "=" || operator === "!=";
    if (!about || !plain || (value !== "true" && value !== "false")) others.push(clause);
    else prompts.push((operator === "=") === (value === "true") ? marked : sql`not ${marked}`);
  }
  if (prompts.length === 0 && !others.some(({ name }) => name.key === IS_PROMPT)) {
    prompts.push(sql`not ${marked}`);
  }
  return { prompts, others };
}
