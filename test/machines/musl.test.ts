// Linux on x86-64 with musl: native tests and golden cases, linked with it whole, run here as they are; but for the tests
// that open libraries, which such a program cannot. Golden cases on two levels, `npm run test:full` takes all.
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { golden, levelsOf, nativeTests } from './on-machine.js';
import { triedHere } from './tried.js';

t.setTimeout(1800_000);
const tried = triedHere('linux-x64-musl');
if (tried) {
  const products = crossBuild(machine(tried.name), ['ipa_test', 'ipa_golden']);
  t.test('native tests', (test) => nativeTests(test, tried, join(products, 'ipa_test'), '', 'library:'));
  t.test('golden cases', (test) => {
    const program = join(products, 'ipa_golden');
    const levels = levelsOf(tried, program);
    return golden(test, tried, program, [...new Set([levels[0]!, levels.at(-1)!])]);
  });
}
