import t from 'tap';
import { bytesOf, memoryOf } from '../../../dist/models/memory.js';

t.test('sizes as people write them', async (test) => {
  for (const [text, bytes] of [
    ['10GB', 10e9],
    ['512 MiB', 512 * 2 ** 20],
    ['1.5gb', 1.5e9],
    ['2 TiB', 2 * 2 ** 40],
    ['1048576', 2 ** 20],
    ['700KB', 7e5],
    ['9B', 9],
  ] as const)
    test.equal(bytesOf(text), bytes, text);
  for (const text of ['', 'much', '10 G', '-1GB', '1e9', '0x10', '10GB left'])
    test.equal(bytesOf(text), undefined, text);
});

const budgetOf = (value: unknown): number | undefined => memoryOf(value).budget;

t.test('a budget is bytes or a size, of one MiB at least', async (test) => {
  test.equal(budgetOf(undefined), undefined);
  test.equal(budgetOf({}), undefined);
  test.equal(budgetOf({ budget: 2 ** 33 }), 2 ** 33);
  test.equal(budgetOf({ budget: '6GB' }), 6e9);
  for (const budget of [10, 1.5e9 + 0.5, Number.NaN, Number.POSITIVE_INFINITY, '10', 'much', true, null, {}])
    test.throws(() => budgetOf({ budget }), { name: 'OptionError', message: /for memory\.budget/ }, String(budget));
  test.throws(() => budgetOf({ budgit: 1 }), { name: 'OptionError', message: /budgit.*memory/ });
  test.throws(() => budgetOf('6GB'), { name: 'OptionError', message: /for memory / });
});
