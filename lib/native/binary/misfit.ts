// A file is there and is not the addon of this Node. A row says what it is instead; the first that fits is told.
import type { LoadFacts } from './facts.js';
import type { Failure } from './failure.js';
import { subject } from './failure.js';
import { formatOf } from './file-kind.js';
import { GLIBC_FLOOR, isOtherLibc } from './shipped.js';

const AGAIN = 'Put the file back as it was published: npm ci';
const COMPILE = 'compile it here: npx node-ip-adapter build';

const VERSION_NEEDED = /version [`'](GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/;
const needed = ({ reason = '' }: LoadFacts): readonly [library: string, version: string] | undefined => {
  const match = VERSION_NEEDED.exec(reason);
  return match ? [match[1]!, match[2]!] : undefined;
};

/** Names that only the one C library's files ask for. */
const OF_MUSL = /libc\.musl-|ld-musl-/;
const OF_GLIBC = /ld-linux-|libc\.so\.6|_chk: symbol not found|gnu_get_libc_version|GLIBC_/;

const isForOtherLibc = ({ path = '', machine, reason = '' }: LoadFacts): boolean =>
  isOtherLibc(path, machine) ||
  (machine.libc === 'musl' && OF_GLIBC.test(reason)) ||
  (machine.libc === 'glibc' && OF_MUSL.test(reason));

const MOST_LACKS = 3; // that are named

export const MISFITS: readonly Failure[] = [
  {
    id: 'not-native',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ file, reason }) => reason !== undefined && file.state === 'file' && file.kind.format === undefined,
    message: (facts) =>
      `${subject(facts)} is ${facts.file.state === 'file' ? facts.file.kind.text : ''}, no native addon`,
    hint: AGAIN,
    isOfFile: true,
  },
  {
    id: 'other-machine',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ file, machine }) =>
      file.state === 'file' &&
      file.kind.format !== undefined &&
      (file.kind.format !== formatOf(machine.platform) || !file.kind.archs.includes(machine.arch)),
    message: (facts) => {
      const text = facts.file.state === 'file' ? facts.file.kind.text : '';
      return `${subject(facts)} is ${text}, this Node is ${facts.machine.platform}-${facts.machine.arch}`;
    },
    hint: 'Install the package again with this Node: npm ci',
    isOfFile: true,
  },
  {
    id: 'cut-off',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ file, reason = '' }) =>
      file.state === 'file' &&
      ((file.kind.whole ?? 0) > file.size || /file too short|truncated|cannot read file data/i.test(reason)),
    message: (facts) => {
      const { file } = facts;
      if (file.state !== 'file') return subject(facts);
      const whole = file.kind.whole === undefined ? '' : ` of ${file.kind.whole}`;
      return `${subject(facts)} is cut off: it has ${file.size} bytes${whole}`;
    },
    hint: AGAIN,
    isOfFile: true,
  },
  {
    id: 'wrong-libc',
    code: 'BINARY_INCOMPATIBLE',
    fits: isForOtherLibc,
    message: (facts) => {
      const [has, other] = facts.machine.libc === 'musl' ? ['musl', 'glibc'] : ['glibc', 'musl'];
      return `${subject(facts)} is for ${other}, this system has ${has}`;
    },
    hint: 'Install the package again on this system: npm ci',
    isOfFile: true,
  },
  {
    id: 'old-glibc',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => needed(facts)?.[0] === 'GLIBC',
    message: (facts) =>
      `${subject(facts)} needs glibc ${needed(facts)?.[1]}, this system has ${facts.machine.libcVersion ?? 'an older one'}`,
    hint: `The published files need glibc ${GLIBC_FLOOR} or newer. Take a newer system, or ${COMPILE}`,
    isOfFile: true,
  },
  {
    id: 'old-libstdc++',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => needed(facts) !== undefined,
    message: (facts) => `${subject(facts)} needs ${needed(facts)?.join('_')}, and this system's libstdc++ is older`,
    hint: `It was compiled on a newer system; ${COMPILE}`,
    isOfFile: true,
  },
  {
    id: 'other-version',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ version }) => version !== undefined,
    message: (facts) =>
      `${subject(facts)} is of version ${facts.version}, and the package is of version ${facts.packageVersion}`,
    hint: 'Install the package again: npm ci',
    isOfFile: true,
  },
  {
    id: 'other-addon',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ lacks = [] }) => lacks.length > 0,
    message: (facts) =>
      `${subject(facts)} lacks ${facts.lacks?.slice(0, MOST_LACKS).join(', ')}: it is of another package or of another version`,
    hint: AGAIN,
    isOfFile: true,
  },
  {
    id: 'named-without-node',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ path = '', file }) => file.state === 'file' && file.kind.format !== undefined && !/\.node$/.test(path),
    message: (facts) => `${subject(facts)} does not end in .node, so that Node takes it for JavaScript`,
    hint: 'Give the file the ending .node and name it so in IPA_BINARY',
  },
];
