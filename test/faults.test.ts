// Bad input: every row of faults/*.json is one subtest. It must fail with its code and name what is wrong, and the same
// pipeline must then draw the same bytes with no more files and threads than before.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { IpAdapterError } from '../lib/index.js';
import { assertHealthy, baselineOf } from './faults/healthy.js';
import { type Expected, openPipeline, play, readRows } from './faults/rows.js';
import { scenes } from './faults/scenes.js';

const TABLES = ['models', 'mismatches', 'images', 'faces', 'options', 'life'];
const LONGEST = 600; // characters of message and hint together

const scratch = mkdtempSync(join(tmpdir(), 'ipa-faults-'));
const pipe = await openPipeline();
const before = await baselineOf(pipe);
t.teardown(async () => {
  await pipe.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

const assertError = (test: Test, error: unknown, { code, class: name, names }: Expected): void => {
  if (!(error instanceof IpAdapterError)) throw error;
  test.equal(error.code, code, `the code of "${error.message}"`);
  test.equal(error.name, name);
  test.ok(error.hint.length > 0, 'there is a hint');
  const text = `${error.message} ${error.hint}`;
  for (const wanted of names) test.ok(text.includes(wanted), `"${wanted}" is in "${text}"`);
  test.ok(error.message.length + error.hint.length <= LONGEST, `${text.length} characters`);
  test.notMatch(text, /[\p{Cc}]/u, 'no control characters');
  test.doesNotThrow(() => JSON.stringify(error.details), 'details are plain');
};

for (const table of TABLES) {
  t.test(table, async (group) => {
    for (const row of readRows(table)) {
      await group.test(`${row.id} ${row.what}`, async (test) => {
        const began = performance.now();
        const work = row.call === 'scene' ? scenes[row.scene]!({ t: test, pipe, scratch }) : play(row, pipe, scratch);
        const error = await work.then(
          () => undefined,
          (thrown: unknown) => thrown ?? new Error('rejected with nothing'),
        );
        const took = performance.now() - began;
        if (row.code !== undefined) assertError(test, error, row as Expected);
        else if (error !== undefined) throw error;
        if (row.maxMs !== undefined) test.ok(took <= row.maxMs, `${Math.round(took)} ms, at most ${row.maxMs}`);
        await assertHealthy(test, pipe, before);
      });
    }
  });
}
