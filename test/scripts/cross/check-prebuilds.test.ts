// A package's addons are looked at one by one; a release has one for every machine, made for the oldest systems.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { checkPrebuilds, promisedGlibc } from '../../../scripts/cross/check-prebuilds.mjs';
import { MACHINES } from '../../../scripts/cross/machines.mjs';
import { madeElf, madeMachO, madePe } from './made-files.js';

const scratch = mkdtempSync(join(tmpdir(), 'ipa-prebuilds-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

/** A folder prebuilds/ with these files. */
const prebuilds = (files: Readonly<Record<string, Uint8Array>>): string => {
  count += 1;
  const folder = join(scratch, String(count));
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
};

const glibc = (version: string, machine = 62): Buffer =>
  madeElf({ machine, needed: ['libc.so.6'], wanted: [`pow@libc.so.6@GLIBC_${version}`] });
const musl = (machine: number): Buffer => madeElf({ machine, needed: ['libc.so'], wanted: ['pow'] });
const HOST = 'linux-x64/node-ip-adapter.glibc.node';
const ALL = {
  [HOST]: glibc('2.28'),
  'linux-x64/node-ip-adapter.musl.node': musl(62),
  'linux-arm64/node-ip-adapter.glibc.node': glibc('2.28', 183),
  'linux-arm64/node-ip-adapter.musl.node': musl(183),
  'darwin-x64/node-ip-adapter.node': madeMachO({ processor: 0x01000007 }),
  'darwin-arm64/node-ip-adapter.node': madeMachO(),
  'win32-x64/node-ip-adapter.node': madePe(),
};

t.test('what a text promises', async (test) => {
  test.equal(promisedGlibc('The prebuilt binary needs glibc 2.28; on an older one'), '2.28');
  test.equal(promisedGlibc('It needs glibc.'), undefined);
});

t.test('a file of this machine may need the glibc that it has', async (test) => {
  const folder = prebuilds({ [HOST]: glibc('2.35') });
  test.strictSame(checkPrebuilds(folder, { promised: '2.28' }), {
    complaints: [],
    lines: [`${HOST}: needs glibc 2.35; 0.0 MB; a release's needs glibc 2.28`],
  });
  test.match(checkPrebuilds(folder).complaints, [/README\.md: no line says which/]);
});

t.test('README promises what addons are built for', async (test) => {
  const complaint = 'README.md: promises glibc 2.36, addons are built for 2.28';
  test.strictSame(new Set(checkPrebuilds(prebuilds({}), { promised: '2.36' }).complaints), new Set([complaint]));
});

t.test('a release is whole, and for the oldest systems', async (test) => {
  test.equal(Object.keys(ALL).length, MACHINES.length);
  const all = checkPrebuilds(prebuilds(ALL), { promised: '2.28', isRelease: true });
  test.strictSame(all.complaints, []);
  test.equal(all.lines.length, MACHINES.length);
  for (const name of Object.keys(ALL)) {
    const { [name]: _, ...rest } = ALL as Record<string, Buffer>;
    const { complaints } = checkPrebuilds(prebuilds(rest), { promised: '2.28', isRelease: true });
    test.match(complaints, [/: is missing \(npm run make-prebuilds -- [\w-]+\)$/], name);
    test.ok(complaints[0]!.startsWith(name));
    test.strictSame(checkPrebuilds(prebuilds(rest), { promised: '2.28' }).complaints, [], 'no release: may be missing');
  }
  const newer = prebuilds({ ...ALL, [HOST]: glibc('2.35') });
  const complaint = [`${HOST}: needs glibc 2.35; 2.28 is allowed`];
  test.strictSame(checkPrebuilds(newer, { promised: '2.28', isRelease: true }).complaints, complaint);
});

t.test('a file that is for no machine, or for another, is noticed', async (test) => {
  const stray = prebuilds({ 'linux-x64/node-ip-adapter.node': glibc('2.28'), 'linux-x64/notes.txt': Buffer.from('x') });
  test.strictSame(checkPrebuilds(stray, { promised: '2.28' }).complaints, [
    'linux-x64/node-ip-adapter.node: is for no machine of scripts/cross/machines.mjs',
  ]);
  const swapped = prebuilds({ 'darwin-x64/node-ip-adapter.node': madeMachO() });
  test.match(checkPrebuilds(swapped, { promised: '2.28' }).complaints, [/is for aarch64; darwin-x64 is x86_64$/]);
});
