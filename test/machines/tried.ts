// A machine that a test is for, where its programs run here; a test that is skipped with the reason where they do not.
import t from 'tap';
import { runnerOf } from '../../scripts/cross/run-on.mjs';
import type { Tried } from './on-machine.js';

export const triedHere = (name: string): Tried | undefined => {
  const runner = runnerOf(name);
  if (typeof runner !== 'string') return { name, runner };
  t.comment(`not run: ${runner}`);
  t.test(name, { skip: runner }, async () => {});
  return undefined;
};
