/*
 * Pages for tests, without a browser: their script is run on a document of a few lines.
 */

import { expect } from "bun:test";

/** Fails where a page loads anything, has a script of another kind, or a mark left in it. */
export function expectWhole(page: string): void {
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(page).not.toContain("@import");
  expect(page).not.toMatch(/\son\w+="/);
  expect(page.match(/<script/g)?.length).toBe(1);
  for (const mark of ["<!-- ", "/* script */", "/* shell style */"]) {
    expect(page).not.toContain(mark);
  }
}

/** The status and the JSON that a route answers with. */
export type Answers = (
  path: string,
  token: string | null,
  body: string | null,
) => [number, unknown];

export const scriptOf = (page: string): string =>
  /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? "";

/** A document that knows elements by id and what they were given; the script runs on it. */
export function openPage(script: string, answer: Answers, hash = "") {
  const elements = new Map<string, Record<string, unknown>>();
  const asked: string[] = [];
  const listeners = new Map<string, (event: unknown) => void>();
  const listening = (id: string) => (kind: string, go: (event: unknown) => void) =>
    listeners.set(`${id} ${kind}`, go);
  const element = (id: string) => {
    if (!elements.has(id)) {
      elements.set(id, {
        ...{ innerHTML: "", textContent: "", hidden: true, value: "" },
        addEventListener: listening(id),
        contains: () => false,
      });
    }
    return elements.get(id)!;
  };
  const storage = new Map<string, string>();
  const location = {
    hash,
    replaced: null as string | null,
    replace: (to: string) => {
      location.replaced = to;
    },
  };
  interface Init {
    readonly headers: { readonly authorization?: string };
    readonly body?: string;
  }
  const globals = {
    document: { getElementById: element, addEventListener: () => {}, hidden: false },
    window: { addEventListener: listening("window") },
    sessionStorage: {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => storage.set(key, value),
    },
    location,
    setInterval: () => 0,
    fetch: async (path: string, { headers, body }: Init) => {
      asked.push(path);
      const [status, said] = answer(path, headers.authorization ?? null, body ?? null);
      const text = typeof said === "string" ? said : JSON.stringify(said);
      return {
        ok: status < 400,
        status,
        statusText: "",
        json: async () => said,
        text: async () => text,
      };
    },
  };
  new Function(...Object.keys(globals), script)(...Object.values(globals));
  return { element, asked, listeners, location };
}
