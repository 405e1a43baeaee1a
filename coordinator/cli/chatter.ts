/** What TensorFlow says on stderr at its start, whatever level it was asked for. */
export const isChatter = (line: string): boolean => /^(WARNING: All log messages before absl::|I\d{4} )/.test(line);
