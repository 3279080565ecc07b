import type { CudaDevice } from '../index.js';

/** Exit codes of every command. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** A line for people: stderr, so that stdout holds results alone. */
export const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** A result: stdout. */
export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A result as JSON; BigInt seeds become text. */
export const printJson = (value: unknown): void =>
  print(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v), 2));

/** Bytes as people read them. */
export const bytesText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
};

/** What a card is. */
export const cardText = ({ name, capability, memory, driver }: CudaDevice): string =>
  `${name} (compute capability ${capability}, ${bytesText(memory)}, driver for CUDA ${driver})`;
