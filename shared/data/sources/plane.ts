/** A coordinate in [-1, 1] as a pixel's channel, clamped. */
export const toByte = (x: number): number => Math.max(0, Math.min(255, Math.floor(x * 127.5 + 128)));
