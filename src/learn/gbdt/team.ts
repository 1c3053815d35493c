/*
 * Threads that run kernels side by side. A job is written into the first page of the memory that
 * all of them share: which kernel, and each member's numbers. Member 0 is the caller itself; the
 * others wait on the job's number. Who starts them is none of this room's business.
 */

/** A kernel of kernels/gbdt.ts: addresses and numbers in, at most one number out. */
export type Call = (...numbers: number[]) => number;

/** The kernels by name. */
export type Calls = Readonly<Record<CallName, Call>>;

/** In the order by which a job names them. */
const CALLS = [
  "addRows",
  "addValue",
  "binNumbers",
  "clear",
  "copy",
  "largest",
  "logLoss",
  "merge",
  "part",
  "snap",
  "subtract",
  "unpack",
] as const;
export type CallName = (typeof CALLS)[number];

export const MOST_MEMBERS = 16;
const MOST_NUMBERS = 16;

// Places of the job in the first page, in 32-bit words; numbers and answers are doubles behind.
const JOB = 16;
const PENDING = 32;
const CALL = 48;
const STOP = 49;
const NUMBERS = 1024; // in bytes
const ANSWERS = NUMBERS + MOST_MEMBERS * MOST_NUMBERS * 8;

/** Looks so often before it sleeps: a wait between two kernels of one tree is shorter than that. */
const LOOKS = 2000;

const viewsOf = ({ buffer }: WebAssembly.Memory) => ({
  words: new Int32Array(buffer, 0, NUMBERS / 4),
  numbers: new Float64Array(buffer, NUMBERS, MOST_MEMBERS * MOST_NUMBERS),
  answers: new Float64Array(buffer, ANSWERS, MOST_MEMBERS),
});

export interface Team {
  readonly size: number;
  /** Runs a kernel once a member, with the numbers for each, and gives what each gave. */
  run(call: CallName, numbersOf: (member: number) => readonly number[]): Float64Array;
  /** Lets the members go home. */
  stop(): void;
}

/** The caller's side of a team whose other members are at work already. */
export const makeTeam = (memory: WebAssembly.Memory, calls: Calls, size: number): Team => {
  const { words, numbers, answers } = viewsOf(memory);
  const run: Team["run"] = (call, numbersOf) => {
    for (let member = 1; member < size; member++) {
      numbers.set(numbersOf(member), member * MOST_NUMBERS);
    }
    words[CALL] = CALLS.indexOf(call);
    Atomics.store(words, PENDING, size - 1);
    Atomics.add(words, JOB, 1);
    Atomics.notify(words, JOB);
    answers[0] = calls[call](...numbersOf(0)) ?? 0;
    for (let left = wait(words, PENDING, -1); left > 0; ) left = wait(words, PENDING, left);
    return answers;
  };
  const stop = (): void => {
    words[STOP] = 1;
    Atomics.add(words, JOB, 1);
    Atomics.notify(words, JOB);
  };
  return { size, run, stop };
};

/** A member's life: jobs until there is no more. `job` is the number of the last one before. */
export const serveTeam = (memory: WebAssembly.Memory, calls: Calls, member: number): void => {
  const { words, numbers, answers } = viewsOf(memory);
  const own = numbers.subarray(member * MOST_NUMBERS, (member + 1) * MOST_NUMBERS);
  for (let job = 0; ; ) {
    job = wait(words, JOB, job);
    if (words[STOP] === 1) return;
    answers[member] = calls[CALLS[words[CALL]!]!](...own) ?? 0;
    if (Atomics.sub(words, PENDING, 1) === 1) Atomics.notify(words, PENDING);
  }
};

/** The word once it is another than `seen`. */
const wait = (words: Int32Array, at: number, seen: number): number => {
  for (let look = 0; look < LOOKS; look++) {
    const word = Atomics.load(words, at);
    if (word !== seen) return word;
  }
  for (;;) {
    Atomics.wait(words, at, seen);
    const word = Atomics.load(words, at);
    if (word !== seen) return word;
  }
};
