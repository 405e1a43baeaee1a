// What to do next, as a line that a shell takes.

/** Flags, each with a value, that a run which goes on is not told again. */
const OF_THE_START = ["--resume", "--retrain"];

/** The command of this process again, for a run that goes on where it is: what it was told about the start falls away. */
export function againCommand(argv: readonly string[]): string {
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (OF_THE_START.includes(word)) i++;
    else if (!OF_THE_START.some((flag) => word.startsWith(`${flag}=`))) words.push(word);
  }
  return commandLine("plume", ...words);
}

export const commandLine = (...words: readonly string[]): string => words.map(quoted).join(" ");

/** As it is where a shell would leave it so. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
