import { type ErrorCode, errorOf, type IpAdapterError, toError } from '../errors.js';
import type { Warn } from '../warnings.js';
import { findCudaLibrary, findEmulatedLibrary, type Lookup } from './device-library.js';
import { probe } from './probe.js';
import type { Card } from './types.js';

/** What a caller may name as a device. `cuda` is the first card that can be used. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}` | 'emulated';

/** Where networks run, and the library that runs them there. */
export type Place = { readonly id: 'cpu' } | { readonly id: `cuda:${number}` | 'emulated'; readonly library: string };

const CPU: Place = { id: 'cpu' };
const LEAST_CAPABILITY = 7.5; // Turing, the oldest with the matrix instructions of our kernels
const LEAST_MEMORY = 2.5e9; // bytes: an SD1.5 has 2.1 GB of weights in 16 bits and needs room to compute

/** Why a card is not taken by itself. */
export interface Unfit {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
}

/** What speaks against a card, or undefined. */
export const unfit = ({ id, name, capability, memory }: Card): Unfit | undefined => {
  if (Number(capability) < LEAST_CAPABILITY) {
    const reason = `${name} has compute capability ${capability}, our kernels need 7.5 (Turing) or newer`;
    return { code: 'DEVICE_UNSUPPORTED', reason, hint: 'Use another card, or device "cpu"' };
  }
  if (memory >= LEAST_MEMORY) return undefined;
  const reason = `${name} has ${(memory / 1e9).toFixed(1)} GB of memory, an SD1.5 needs ${LEAST_MEMORY / 1e9} GB`;
  return {
    code: 'DEVICE_OUT_OF_MEMORY',
    reason,
    hint: `Use device "cpu", or device "${id}" for a model that is smaller`,
  };
};

const noCard = (): IpAdapterError =>
  errorOf('DEVICE_NONE', 'The NVIDIA driver finds no card', 'Look at CUDA_VISIBLE_DEVICES, or use device "cpu"');

const firstFit = (cards: readonly Card[], library: string): Place => {
  const card = cards.find((it) => !unfit(it));
  if (card) return { id: card.id, library };
  const [first] = cards;
  if (!first) throw noCard();
  const { code, reason, hint } = unfit(first)!;
  throw errorOf(code, reason, hint, { details: { device: first.id } });
};

/** The card that was named, whatever its memory. */
const named = (id: `cuda:${number}`, cards: readonly Card[], library: string): Place => {
  const card = cards.find((it) => it.id === id);
  if (!card) {
    const ids = cards.map((it) => it.id);
    if (ids.length === 0) throw noCard();
    const found = `There is no card ${id}; the driver finds ${ids.join(', ')}`;
    throw errorOf('DEVICE_NONE', found, `Use device "${ids.join('", "')}" or "cpu"`, {
      details: { option: 'device', found: id, expected: [...ids, 'cpu'] },
    });
  }
  const against = unfit(card);
  if (against?.code === 'DEVICE_UNSUPPORTED') {
    throw errorOf(against.code, against.reason, against.hint, { details: { device: id } });
  }
  return { id, library };
};

/** What choosing looks at. Tests give their own. */
export interface Sight {
  readonly cuda: () => Lookup;
  readonly emulated: () => Lookup;
  readonly probe: (library: string) => Promise<readonly Card[]>;
}

const machine: Sight = { cuda: findCudaLibrary, emulated: findEmulatedLibrary, probe };

const libraryOf = (lookup: Lookup): string => {
  if ('error' in lookup) throw lookup.error;
  return lookup.path;
};

/** A card where one can be used, else the CPU: silent where no library is installed, with a warning where it is of no use. */
const chosenByItself = async (warn: Warn, { cuda, probe: ask }: Sight): Promise<Place> => {
  const lookup = cuda();
  if ('error' in lookup && !lookup.named) return CPU;
  try {
    const library = libraryOf(lookup);
    return firstFit(await ask(library), library);
  } catch (error) {
    const { code, message, hint } = toError(error);
    warn(code, `device "auto" takes the CPU: ${message}. ${hint}`);
    return CPU;
  }
};

/** Where networks of a pipeline run. The driver is tried in a process of its own; for the CPU nothing is looked at. */
export const chooseDevice = async (name: DeviceName, warn: Warn, sight: Sight = machine): Promise<Place> => {
  if (name === 'cpu') return CPU;
  if (name === 'emulated') return { id: name, library: libraryOf(sight.emulated()) };
  if (name === 'auto') return chosenByItself(warn, sight);
  const library = libraryOf(sight.cuda());
  const cards = await sight.probe(library);
  return name === 'cuda' ? firstFit(cards, library) : named(name, cards, library);
};
