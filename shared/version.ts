/** The version of plume, as in package.json; a test keeps the two equal. */
export const PLUME_VERSION = "0.1.0";
