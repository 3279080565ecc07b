import { relative } from 'node:path';
import { quoted } from '../../errors.js';
import type { LoadFacts } from './facts.js';

/** One way in which the addon is not to be had. */
export interface Failure {
  readonly id: string;
  readonly code: 'BINARY_NOT_FOUND' | 'BINARY_INCOMPATIBLE';
  readonly fits: (facts: LoadFacts) => boolean;
  readonly message: (facts: LoadFacts) => string;
  /** What to type, where the package's own file is meant. */
  readonly hint: string;
  /** Another file would do: where a variable named this one or it was built here, the hint is about that. */
  readonly isOfFile?: true;
  /** The message ends with the places that were looked at. */
  readonly tellsPlaces?: true;
}

/** The file that did not load, as the beginning of a sentence. */
export const subject = ({ source, path = '' }: LoadFacts): string => {
  if (source === 'IPA_BINARY') return `IPA_BINARY names ${quoted(path)}, which`;
  return `The native addon ${quoted(path)}`;
};

/** Places below the package's folder, which is named once. */
export const placesText = ({ root, tried }: LoadFacts): string => {
  const short = tried.map((place) => {
    const below = relative(root, place);
    return below.startsWith('..') ? place : below;
  });
  return `; looked at ${short.join(', ')} in ${root}`;
};
