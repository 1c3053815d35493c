/** What is told of a code: its title, what it means, what to do. */
export type CodeRow = readonly [title: string, meaning: string, remedy: string];

export type CodeRows = Readonly<Record<string, CodeRow>>;
