// Linux on x86-64 with musl: the native tests, linked with it whole, run here as they are; but for those that open
// libraries, which such a program cannot.
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { runnerOf } from '../../scripts/cross/run-on.mjs';
import { nativeTests } from './on-machine.js';

const runner = runnerOf('linux-x64-musl');
t.setTimeout(1800_000);
if (typeof runner === 'string') {
  t.comment(`not run: ${runner}`);
  t.test('linux-x64-musl', { skip: runner }, async () => {});
} else {
  const products = crossBuild(machine('linux-x64-musl'), ['ipa_test']);
  t.test('native tests', (test) => nativeTests(test, runner, join(products, 'ipa_test'), '', 'library:'));
}
