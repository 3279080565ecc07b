// What a planted defect is: an edit of a kernel's file, and whose cases must notice it.
import { basename } from 'node:path';

/** Whose cases run when a file is edited that has none of its own (defects.cpp). */
const CASES: Readonly<Record<string, string>> = {
  'result.h': 'PRODUCT',
  'tile.h': 'PRODUCT',
  'moments.h': 'GROUP_NORM',
};
const casesOf = (file: string): string => CASES[file] ?? basename(file, '.h').toUpperCase();

export interface Defect {
  readonly name: string;
  readonly file: string;
  /** Must be there exactly once. */
  readonly before: string;
  readonly after: string;
  readonly cases: string;
}
export const defect = (file: string, name: string, before: string, after: string, cases = casesOf(file)): Defect => ({
  file,
  name,
  before,
  after,
  cases,
});
