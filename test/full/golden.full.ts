// Golden networks of true size, in f32 and in 16 bits, on the fastest levels here.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { fastestOf, goldenResults, levelsHere } from '../runner/run.mjs';

const folder = fileURLToPath(new URL('../golden', import.meta.url));
let count = 0;
for await (const result of goldenResults(folder, [], { trueSize: fastestOf(levelsHere().usual) })) {
  const { case: name, level, status, worst, limit, message } = result;
  if (!name.startsWith('true-size/') || status === 'not yet') continue;
  count += 1;
  await t.test(`${name} on ${level}`, async (test) =>
    test.equal(status, 'passed', status === 'passed' ? message : `${message}, worst ${worst} of ${limit}`),
  );
}
t.test('cases were there', async (test) => test.ok(count > 0));
