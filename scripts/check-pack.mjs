// The package check: packs what npm would publish and looks at it as a user's machine will. Run by prepack, after the
// build and the prebuilt files. Every check runs; each failure is one line. `npm run check-pack -- --release` demands an
// addon for every machine of scripts/cross/machines.mjs, made for the systems named there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPrebuilds, promisedGlibc } from './cross/check-prebuilds.mjs';
import { cudaPackages, manifestComplaints, strayFiles } from './cuda-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');
const MAX_TARBALL = 80e6; // bytes
const REQUIRED = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CMakeLists.txt',
  'scripts/build-native.cjs',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/index.cjs',
  'dist/index.d.cts',
  'dist/cli/index.js',
  'models/sketch/defaults.json',
];

const failures = [];
const say = (text) => process.stdout.write(`${text}\n`);
const expect = (condition, text) => {
  if (!condition) failures.push(text);
};

/** Output of a program; throws when it cannot run or fails. */
function output(program, args) {
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${program} ${args[0]}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

/** A checker of node_modules whose complaints are its output. */
function checker(name, script, args) {
  const result = spawnSync(process.execPath, [script, ...args], { cwd: root, encoding: 'utf8' });
  say(`${name}: ${result.status === 0 ? 'fine' : 'complains'}`);
  if (result.status !== 0) failures.push(`${name}:\n${result.stdout}${result.stderr}`);
}

/** Path of a package's program: its `bin` entry, which its `exports` need not show. */
function programOf(packageName, command) {
  const folder = path.join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[command]);
}

function checkContents({ files, size }) {
  const names = files.map((file) => file.path);
  say(`tarball: ${(size / 1e6).toFixed(1)} MB, ${names.length} files`);
  expect(size <= MAX_TARBALL, `tarball: ${size} bytes, at most ${MAX_TARBALL} allowed`);
  for (const name of REQUIRED) expect(names.includes(name), `tarball: ${name} is missing`);
  // pnpm and Yarn take the file for an install script, whatever "gypfile" says, and would run node-gyp
  expect(!names.includes('binding.gyp'), 'tarball: binding.gyp belongs to the clone');
  for (const name of strayFiles(names)) failures.push(`tarball: ${name} belongs in a package of its own`);
  const here = `prebuilds/${process.platform}-${process.arch}/`;
  expect(
    names.some((name) => name.startsWith(here) && name.endsWith('.node')),
    `tarball: no prebuilt addon under ${here} (npm run make-prebuilds)`,
  );
  for (const name of names) {
    const [, source, kind] = /^dist\/(.*)\.(c?)js$/.exec(name) ?? [];
    const stale = source && !existsSync(path.join(root, 'lib', `${source}.${kind}ts`));
    expect(!stale, `tarball: ${name} has no lib/${source}.${kind}ts any more; delete dist and build again`);
  }
}

/** What README.md promises, where there is one. */
function promised() {
  const readme = path.join(root, 'README.md');
  return existsSync(readme) ? promisedGlibc(readFileSync(readme, 'utf8')) : undefined;
}

for (const cudaPackage of cudaPackages(root)) failures.push(...manifestComplaints(root, cudaPackage));
const folder = mkdtempSync(path.join(os.tmpdir(), 'node-ip-adapter-pack-'));
try {
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  // Without scripts: prepack is what runs this file.
  const packArgs = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [packed] = JSON.parse(output(npm[0], [...npm.slice(1), ...packArgs]));
  const tarball = path.join(folder, packed.filename);
  checkContents(packed);
  checker('publint', programOf('publint', 'publint'), ['run', tarball, '--strict']);
  checker('attw', programOf('@arethetypeswrong/cli', 'attw'), [tarball, '--no-color']);
  output('tar', ['-xzf', tarball, '-C', folder]);
  const isRelease = process.argv.includes('--release');
  const { complaints, lines } = checkPrebuilds(path.join(folder, 'package', 'prebuilds'), {
    promised: promised(),
    isRelease,
  });
  for (const line of lines) say(line);
  failures.push(...complaints);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

for (const text of failures) process.stderr.write(`package check: ${text}\n`);
say(failures.length === 0 ? 'package check: fine' : `package check: ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
