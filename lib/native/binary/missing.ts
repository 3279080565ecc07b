// No file to load: a row says what its absence means. The first that fits is told.
import { quoted } from '../../errors.js';
import type { Failure } from './failure.js';
import { carriedText, folderOf, isOtherLibc, isShipped, SHIPPED_TEXT } from './shipped.js';

/** The package is published with the files of all platforms. */
const TAKEN_OUT = "A Docker copy, a .dockerignore of *.node or a bundler's trace took it out";
const AGAIN =
  'Install it again where it runs: npm ci. For Next.js standalone: outputFileTracingIncludes of node_modules/node-ip-adapter/prebuilds/**';
/** Architectures of 32 bits, by Node's names. */
const WIDTH_32: readonly string[] = ['ia32', 'arm', 'mips', 'mipsel', 'ppc', 's390'];

export const MISSING: readonly Failure[] = [
  {
    id: 'named-absent',
    code: 'BINARY_NOT_FOUND',
    fits: ({ source, file }) => source === 'IPA_BINARY' && file.state === 'absent',
    message: ({ path = '' }) => `IPA_BINARY names ${quoted(path)}, where no file is`,
    hint: 'Set IPA_BINARY to the path of the addon, a file that ends in .node, or unset it',
  },
  {
    id: 'named-folder',
    code: 'BINARY_NOT_FOUND',
    fits: ({ source, file }) => source === 'IPA_BINARY' && file.state === 'folder',
    message: ({ path = '' }) => `IPA_BINARY names ${quoted(path)}, which is a folder`,
    hint: 'Set IPA_BINARY to the addon itself, a file in that folder that ends in .node, or unset it',
  },
  {
    id: '32-bit',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, machine }) => path === undefined && WIDTH_32.includes(machine.arch),
    message: ({ machine }) =>
      `This Node is a 32-bit one (${machine.arch}, on ${machine.hardware}), and the addon needs a 64-bit Node`,
    hint: 'Install a 64-bit Node (node -p process.arch then says x64 or arm64), then: npm ci',
  },
  {
    id: 'clone',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, isClone }) => path === undefined && isClone,
    message: () => 'The native addon of this clone is not built',
    hint: 'Build it: npm run build',
    tellsPlaces: true,
  },
  {
    id: 'platform',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, machine }) => path === undefined && !isShipped(machine),
    message: ({ machine }) =>
      `There is no prebuilt addon for ${folderOf(machine)}; the package has those of ${SHIPPED_TEXT}`,
    hint: 'Compile it here, with a C++20 compiler and cmake 3.22 or newer: npx node-ip-adapter build',
    tellsPlaces: true,
  },
  {
    id: 'emptied',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, carried = [] }) => path === undefined && carried.length === 0,
    message: ({ carried }) =>
      `The package has lost its prebuilt addons: prebuilds/ is ${carried ? 'empty' : 'not there'}. ${TAKEN_OUT}`,
    hint: AGAIN,
    tellsPlaces: true,
  },
  {
    id: 'rosetta',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, machine, carried = [] }) =>
      path === undefined && machine.translated === true && carried.some((file) => file.startsWith('darwin-arm64/')),
    message: ({ carried = [] }) =>
      'This Node is built for Intel and runs under Rosetta on Apple Silicon, ' +
      `and prebuilds/ has only ${carriedText(carried)}`,
    hint: 'Install the arm64 build of Node (node -p process.arch then says arm64), then: npm ci',
    tellsPlaces: true,
  },
  {
    id: 'other-mac',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, machine, carried = [] }) =>
      path === undefined && machine.platform === 'darwin' && carried.some((file) => file.startsWith('darwin-')),
    message: ({ machine, carried = [] }) => {
      const mac = machine.arch === 'arm64' ? 'Apple Silicon' : 'Intel';
      return `This Node is built for Macs with ${mac}, and prebuilds/ has only ${carriedText(carried)}. ${TAKEN_OUT}`;
    },
    hint: AGAIN,
    tellsPlaces: true,
  },
  {
    id: 'other-libc',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path, machine, carried = [] }) =>
      path === undefined &&
      carried.some((file) => file.startsWith(`${folderOf(machine)}/`) && isOtherLibc(file, machine)),
    message: ({ machine, carried = [] }) => {
      const system = machine.libc === 'musl' ? 'This system has musl, as Alpine does' : 'This system has glibc';
      return `${system}, and prebuilds/ has only ${carriedText(carried)}. ${TAKEN_OUT}`;
    },
    hint: AGAIN,
    tellsPlaces: true,
  },
  {
    id: 'pruned',
    code: 'BINARY_NOT_FOUND',
    fits: ({ path }) => path === undefined,
    message: ({ machine, carried = [] }) =>
      `The package has lost its addon for ${folderOf(machine)}: prebuilds/ has only ${carriedText(carried)}. ${TAKEN_OUT}`,
    hint: AGAIN,
    tellsPlaces: true,
  },
];
