// macOS: nothing here runs its programs. The addons are linked, finished and looked at: what they ask of a Mac, and their
// signature.
import t from 'tap';
import { addonFor } from '../../scripts/cross/addon.mjs';
import { checkFile } from '../../scripts/cross/check-file.mjs';
import { canCross, here } from '../../scripts/cross/compiler.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { recordTested } from '../../scripts/cross/tested.mjs';

t.setTimeout(1800_000);
for (const name of ['darwin-x64', 'darwin-arm64'])
  t.test(name, { skip: !canCross && `the cross compiler does not run on ${here}` }, async (test) => {
    const { complaints, summary } = checkFile(machine(name), addonFor(machine(name)));
    test.strictSame(complaints, []);
    test.comment(`measured: ${summary}`);
    if (test.passing()) recordTested(name, { how: 'not run', what: 'linked, imports and signature checked' });
  });
