// The optional package with the CUDA library fits the main one and lies in no tarball of it; what does not is noticed.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cudaPackages, manifestComplaints, packageComplaints, strayFiles } from '../../scripts/cuda-package.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');
const scratch = mkdtempSync(join(tmpdir(), 'ipa-cuda-package-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const main = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
const [mine] = cudaPackages(root) as [string];
const own = JSON.parse(readFileSync(join(mine, 'package.json'), 'utf8')) as { name: string; version: string };
let count = 0;

/** A clone whose manifests differ in these fields. */
const clone = (changes: { main?: object; own?: object } = {}): { home: string; folder: string } => {
  count += 1;
  const home = join(scratch, String(count));
  const folder = join(home, 'packages', 'cuda-linux-x64');
  mkdirSync(folder, { recursive: true });
  cpSync(join(mine, 'README.md'), join(folder, 'README.md'));
  writeFileSync(join(home, 'package.json'), JSON.stringify({ ...main, ...changes.main }));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...own, ...changes.own }));
  return { home, folder };
};
const complaints = (changes: { main?: object; own?: object }): string[] => {
  const { home, folder } = clone(changes);
  return manifestComplaints(home, folder);
};

t.test('the packages of this repository', async (test) => {
  test.ok(mine.endsWith('cuda-linux-x64'));
  for (const folder of cudaPackages(root)) test.same(manifestComplaints(root, folder), []);
  test.same(complaints({}), []);
});

t.test('what does not fit is noticed', async (test) => {
  test.match(complaints({ own: { version: '9.9.9' } }), [/is of version 9\.9\.9/]);
  test.match(complaints({ main: { version: '9.9.9' } }), [/node-ip-adapter of 9\.9\.9/, /not as 9\.9\.9/]);
  test.match(complaints({ own: { name: 'cuda' } })[0], /is named cuda/);
  test.match(complaints({ own: { license: 'MIT' } }), [/has the licence MIT/]);
  test.match(complaints({ own: { cpu: ['arm64'] } }), [/is for linux-arm64/]);
  test.match(complaints({ main: { peerDependenciesMeta: {} } }), [/is not optional/]);
});

t.test('a package is published whole or not at all', async (test) => {
  const { home, folder } = clone();
  test.match(packageComplaints(home, folder), [/no LICENSE/, /no ipa_cuda\.so; npm run make-cuda-package makes it/]);
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const library = join(folder, 'ipa_cuda.so');
  cpSync(join(root, 'build-cmake', 'Release', 'node_ip_adapter.node'), library); // a shared object that needs libc alone
  test.same(packageComplaints(home, folder), []);
  const bytes = readFileSync(library);
  writeFileSync(library, Buffer.concat([bytes, Buffer.from(home)]));
  test.match(packageComplaints(home, folder), [/names the folder it was built in/]);
  writeFileSync(library, Buffer.concat([bytes, Buffer.alloc(15e6)]));
  test.match(packageComplaints(home, folder), [/has \d+ bytes, at most 15000000 allowed/]);
  cpSync(process.execPath, library); // Node needs libstdc++
  test.match(packageComplaints(home, folder).join('\n'), /needs libstdc\+\+\.so/);
});

t.test('nothing of it lies in the main tarball', async (test) => {
  const stray = ['packages/cuda-linux-x64/package.json', 'prebuilds/linux-x64/ipa_cuda.so', 'dist/ipa_emulated.dll'];
  const fine = [
    'dist/native/device-library.js',
    'native/cuda/README.md',
    'prebuilds/linux-x64/node-ip-adapter.glibc.node',
  ];
  test.same(strayFiles([...stray, ...fine]), stray);
});
