import { availableParallelism } from 'node:os';
import { toError } from '../errors.js';
import { unfit } from './choose-device.js';
import { findCudaLibrary } from './device-library.js';
import { addon } from './native.js';
import { probe } from './probe.js';
import type { Card } from './types.js';

/** The CPU of this machine. */
export interface CpuDevice {
  readonly id: 'cpu';
  readonly usable: true;
  /** Fastest instruction set of this CPU that the addon has kernels for. */
  readonly isa: string;
  /** Every level that works here, slowest first; the environment variable IPA_CPU chooses one. */
  readonly levels: readonly string[];
  /** Cores that this process may use. */
  readonly threads: number;
}

/** An NVIDIA card that `device: 'cuda'` would take. */
export interface CudaDevice extends Card {
  readonly usable: true;
}

/** A card, or all of them, and why they are not taken. */
export interface UnusableDevice {
  readonly id: 'cuda' | `cuda:${number}`;
  readonly usable: false;
  readonly reason: string;
}

/** A device that draws, or why it does not. */
export type Device = CpuDevice | CudaDevice | UnusableDevice;

const cards = async (): Promise<readonly (CudaDevice | UnusableDevice)[]> => {
  const unusable = (reason: string): [UnusableDevice] => [{ id: 'cuda', usable: false, reason }];
  const lookup = findCudaLibrary();
  if ('error' in lookup) return unusable(`${lookup.error.message}. ${lookup.error.hint}`);
  try {
    const found = await probe(lookup.path);
    if (found.length === 0) return unusable('the NVIDIA driver finds no card');
    return found.map((card) => {
      const against = unfit(card);
      return against ? { id: card.id, usable: false, reason: against.reason } : { ...card, usable: true };
    });
  } catch (error) {
    const { message, hint } = toError(error);
    return unusable(`${message}. ${hint}`);
  }
};

/**
 * The devices of this machine, the CPU first. Loads the addon; where the CUDA library is installed its driver is tried in
 * a process of its own.
 *
 * @example
 * for (const device of await devices()) console.log(device.id, device.usable ? 'can be used' : device.reason)
 */
export const devices = async (): Promise<readonly [CpuDevice, ...Device[]]> => {
  const levels = addon().levels();
  const isa = levels.at(-1) ?? 'base';
  return [{ id: 'cpu', usable: true, isa, levels, threads: availableParallelism() }, ...(await cards())];
};
