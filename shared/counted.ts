// A number of things, in words.

/** "1 worker", "2 workers"; "0 workers". */
export const counted = (n: number, thing: string, things = `${thing}s`): string => `${n} ${n === 1 ? thing : things}`;
