// scripts/check-installed.mjs, with which each kind of machine tries the tarball of a release: here on the addon of this
// clone in a folder of its own, sound and not.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { machine } from '../../lib/native/binary/machine.js';
import { shippedFile } from '../../lib/native/binary/shipped.js';
import { complaints, difference } from '../../scripts/check-installed.mjs';
import { products } from '../../scripts/ensure-built.mjs';
import { installedFor, root, run } from '../machines/app.js';

const script = join(root, 'scripts', 'check-installed.mjs');

t.test('an installed package', async (test) => {
  const prebuilt = shippedFile(machine());
  const { platform: os, arch: cpu } = process as { platform: 'linux'; arch: 'x64' };
  const addon = process.env.IPA_BINARY ?? products.addon;
  const app = await installedFor({ os, cpu, prebuilt, addon });
  test.teardown(app.remove);
  // what `npm install` of a tarball would link
  const bin = join(app.folder, 'node_modules', '.bin', 'node-ip-adapter');
  writeFileSync(bin, "#!/usr/bin/env node\nimport('../node-ip-adapter/dist/cli/index.js');\n", { mode: 0o755 });
  const check = () => run([process.execPath, script, app.folder], root);

  const sound = await check();
  test.equal(sound.status, 0, sound.stderr);
  test.match(sound.stdout, /^node-ip-adapter/m, 'doctor is shown');
  test.match(sound.stdout, /, Node v[\d.]+: doctor is content, the portrait differs by [012]\n$/);

  await test.test('another picture', async (test) => {
    const reference = join(app.home, 'models', 'sketch', 'references', 'person-3-1.png');
    cpSync(join(root, 'models', 'sketch', 'references', 'person-5-1.png'), reference);
    const { status, stderr } = await check();
    test.equal(status, 1);
    test.match(stderr, /^the portrait differs from docs\/quickstart\.png by \d+ grey levels of 2\n$/);
    cpSync(join(root, 'models', 'sketch', 'references', 'person-3-1.png'), reference);
  });

  await test.test('an addon that does not load', async (test) => {
    writeFileSync(join(app.home, 'prebuilds', prebuilt), 'no addon');
    const { status, stderr } = await check();
    test.equal(status, 1);
    test.match(stderr, /^npx --no-install node-ip-adapter doctor: exit code 1\n/);
    test.match(stderr, /BINARY_/);
  });
});

t.test('a folder with something in it, or nothing', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-installed-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const check = (...words: string[]) => run([process.execPath, script, ...words], root);
  test.match(await check(folder), { status: 1, stderr: /is not there: name a tarball/ });
  writeFileSync(join(folder, 'package.json'), '{}');
  test.match(await check(folder, 'a.tgz'), { status: 1, stderr: /is not empty/ });
  test.match(await check(), { status: 1, stderr: /^usage: / });
});

t.test('what doctor may say', async (test) => {
  const report = { binary: { path: join('/p', 'prebuilds', 'a.node') }, problems: [], node: process.version };
  test.same(complaints(report, '/p'), []);
  test.same(complaints({ ...report, problems: ['ill'] }, '/p'), ['ill']);
  test.match(complaints({ ...report, binary: { path: '/p/build/a.node' } }, '/p'), [/is the addon, and not one of/]);
  test.match(complaints({ ...report, node: 'v1.0.0' }, '/p'), [/doctor ran on Node v1\.0\.0/]);
  test.equal(difference(Uint8Array.of(1, 9), Uint8Array.of(3, 8)), 2);
  test.throws(() => difference(new Uint8Array(3), new Uint8Array(4)), /has 3 bytes, expected 4/);
});
