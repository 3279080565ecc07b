// The machines that the package carries an addon for. One more: a row here.

/**
 * @typedef {object} Machine
 * @property {string} name as typed after `npm run make-prebuilds --`
 * @property {string} target what the cross compiler calls it; for glibc with the oldest version that the addon runs on
 * @property {string} folder below prebuilds/, as node-gyp-build looks for it
 * @property {string} file there
 * @property {string} system as CMake names it
 * @property {string} processor the same
 */

const addon = (/** @type {string} */ tag) => `node-ip-adapter${tag}.node`;

/** @type {readonly Machine[]} */
export const MACHINES = [
  {
    name: 'linux-x64',
    target: 'x86_64-linux-gnu.2.28',
    folder: 'linux-x64',
    file: addon('.glibc'),
    system: 'Linux',
    processor: 'x86_64',
  },
  {
    name: 'linux-x64-musl',
    target: 'x86_64-linux-musl',
    folder: 'linux-x64',
    file: addon('.musl'),
    system: 'Linux',
    processor: 'x86_64',
  },
  {
    name: 'linux-arm64',
    target: 'aarch64-linux-gnu.2.28',
    folder: 'linux-arm64',
    file: addon('.glibc'),
    system: 'Linux',
    processor: 'aarch64',
  },
  {
    name: 'linux-arm64-musl',
    target: 'aarch64-linux-musl',
    folder: 'linux-arm64',
    file: addon('.musl'),
    system: 'Linux',
    processor: 'aarch64',
  },
  {
    name: 'darwin-x64',
    target: 'x86_64-macos.11.0',
    folder: 'darwin-x64',
    file: addon(''),
    system: 'Darwin',
    processor: 'x86_64',
  },
  {
    name: 'darwin-arm64',
    target: 'aarch64-macos.11.0',
    folder: 'darwin-arm64',
    file: addon(''),
    system: 'Darwin',
    processor: 'arm64',
  },
  {
    name: 'win32-x64',
    target: 'x86_64-windows-gnu',
    folder: 'win32-x64',
    file: addon(''),
    system: 'Windows',
    processor: 'x86_64',
  },
];

/** @param {string} name */
export const machine = (name) => {
  const found = MACHINES.find((row) => row.name === name);
  if (found) return found;
  throw new Error(`no machine is called ${name}; known: ${MACHINES.map((row) => row.name).join(', ')}`);
};
