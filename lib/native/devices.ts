import { availableParallelism } from 'node:os';
import { addon } from './native.js';

/** A device that draws, or why it does not. */
export type Device =
  | {
      readonly id: string;
      readonly usable: true;
      /** Fastest instruction set of this CPU that the addon has kernels for. */
      readonly isa: string;
      /** Every level that works here, slowest first; the environment variable IPA_CPU chooses one. */
      readonly levels: readonly string[];
      /** Cores that this process may use. */
      readonly threads: number;
    }
  | { readonly id: string; readonly usable: false; readonly reason: string };

/**
 * The devices of this machine. Loads the addon.
 *
 * @example
 * for (const device of await devices()) console.log(device.id, device.isa)
 */
export const devices = async (): Promise<readonly Device[]> => {
  const levels = addon().levels();
  return [{ id: 'cpu', usable: true, isa: levels.at(-1) ?? 'base', levels, threads: availableParallelism() }];
};
