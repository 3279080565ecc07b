// An addon of a release is the same, byte for byte, when somebody else builds it: in another folder, with a compiler that
// was fetched anew.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { addonFor } from '../../scripts/cross/addon.mjs';
import { canCross, here } from '../../scripts/cross/compiler.mjs';
import { MACHINES } from '../../scripts/cross/machines.mjs';
import { root } from './app.js';

t.setTimeout(4 * 3600_000);
t.test('built twice', { skip: !canCross && `the cross compiler does not run on ${here}` }, async (test) => {
  const copy = mkdtempSync(join(tmpdir(), 'ipa-again-'));
  test.teardown(() => rmSync(copy, { recursive: true, force: true }));
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const machine of MACHINES) {
    const make = spawnSync(process.execPath, [join('scripts', 'make-prebuilds.mjs'), machine.name], {
      cwd: copy,
      encoding: 'utf8',
    });
    if (!test.equal(make.status, 0, make.stderr)) continue;
    const again = readFileSync(join(copy, 'prebuilds', machine.folder, machine.file));
    const once = addonFor(machine);
    const differ = once.length === again.length ? once.findIndex((byte, at) => byte !== again[at]) : 0;
    test.equal(differ, -1, `${machine.name}: ${once.length} and ${again.length} bytes`);
  }
});
