// Facts of machines that are not at hand, one set for each way to fail.
import type { LoadFacts } from '../../../../lib/native/binary/facts.js';
import type { Machine } from '../../../../lib/native/binary/machine.js';
import { SHIPPED } from '../../../../lib/native/binary/shipped.js';

const node = 'v20.19.0';
export const machines = {
  linux: { platform: 'linux', arch: 'x64', hardware: 'x86_64', libc: 'glibc', libcVersion: '2.36', node },
  old: { platform: 'linux', arch: 'x64', hardware: 'x86_64', libc: 'glibc', libcVersion: '2.17', node },
  alpine: { platform: 'linux', arch: 'x64', hardware: 'x86_64', libc: 'musl', node },
  riscv: { platform: 'linux', arch: 'riscv64', hardware: 'riscv64', libc: 'glibc', libcVersion: '2.39', node },
  raspberry: { platform: 'linux', arch: 'arm', hardware: 'aarch64', libc: 'glibc', libcVersion: '2.36', node },
  mac: { platform: 'darwin', arch: 'arm64', hardware: 'arm64', node },
  intelMac: { platform: 'darwin', arch: 'x64', hardware: 'x86_64', node, translated: false },
  rosetta: { platform: 'darwin', arch: 'x64', hardware: 'x86_64', node, translated: true },
  windows: { platform: 'win32', arch: 'x64', hardware: 'x86_64', node },
  windows32: { platform: 'win32', arch: 'ia32', hardware: 'x86_64', node },
  windowsArm: { platform: 'win32', arch: 'arm64', hardware: 'arm64', node },
  freebsd: { platform: 'freebsd', arch: 'x64', hardware: 'amd64', node },
} as const satisfies Readonly<Record<string, Machine>>;

/** Every file of a published package. */
export const whole: readonly string[] = Object.entries(SHIPPED).flatMap(([folder, libcs]) =>
  libcs.map((libc) => `${folder}/node-ip-adapter${libc && `.${libc}`}.node`),
);
export const only = (begin: string): readonly string[] => whole.filter((file) => file.startsWith(begin));

/** As long as an app's folder usually is. */
export const root = '/home/somebody/projects/portraits/node_modules/node-ip-adapter';
const built = `${root}/build-cmake/Release/node_ip_adapter.node`;
const folder = ({ platform, arch }: Machine): string => `${platform}-${arch}`;

/** Nothing was found there. */
export const nothing = (machine: Machine, carried: readonly string[] | undefined, isClone = false): LoadFacts => ({
  machine,
  root,
  packageVersion: '0.1.0',
  isClone,
  source: 'prebuilds',
  tried: [
    built,
    `${root}/build/Release`,
    `${root}/prebuilds/${folder(machine)}/node-ip-adapter${machine.libc ? `.${machine.libc}` : ''}.node`,
  ],
  carried,
  file: { state: 'absent' },
});

const formats = { linux: 'ELF', darwin: 'Mach-O', win32: 'PE' } as const;

/** The right file for the machine, of which `more` says what is wrong. */
export const found = (machine: Machine, more: Partial<LoadFacts>): LoadFacts => {
  const format = formats[machine.platform as keyof typeof formats];
  const path = nothing(machine, whole).tried[2]!;
  return {
    ...nothing(machine, whole),
    path,
    tried: [built, `${root}/build/Release`, path],
    file: {
      state: 'file',
      size: 3_000_000,
      kind: { text: `a ${format} file for ${machine.arch}`, format, archs: [machine.arch] },
    },
    ...more,
  };
};

/** The same, named by the variable. */
export const named = (machine: Machine, more: Partial<LoadFacts>): LoadFacts => {
  const path = '/srv/addons/mine.node';
  return found(machine, { source: 'IPA_BINARY', path, tried: [path], ...more });
};

/** The same, built on the machine. */
export const local = (machine: Machine, more: Partial<LoadFacts>): LoadFacts =>
  found(machine, { source: 'build', path: built, tried: [built], ...more });

const text = (size: number, what: string): LoadFacts['file'] => ({
  state: 'file',
  size,
  kind: { text: `${size} bytes of text${what}`, archs: [] },
});
const elf = (arch: string, size = 3_000_000, whole_ = size): LoadFacts['file'] => ({
  state: 'file',
  size,
  kind: { text: `an ELF file for ${arch}`, format: 'ELF', archs: [arch], whole: whole_ },
});

/** What happened → its facts, the row that must tell it, and words that the message must have. */
export const CASES: readonly (readonly [what: string, facts: LoadFacts, row: string, words: readonly string[]])[] = [
  // no file for the platform
  ['RISC-V', nothing(machines.riscv, whole), 'platform', ['linux-riscv64, glibc 2.39', 'linux-arm64 (glibc, musl)']],
  ['Windows on ARM64', nothing(machines.windowsArm, whole), 'platform', ['win32-arm64', 'win32-x64', 'darwin-arm64']],
  ['FreeBSD', nothing(machines.freebsd, whole), 'platform', ['freebsd-x64']],
  ['a clone', nothing(machines.linux, undefined, true), 'clone', ['this clone is not built']],
  ['32 bits on Windows', nothing(machines.windows32, whole), '32-bit', ['ia32', 'x86_64', '64-bit Node']],
  ['32 bits on a Raspberry Pi', nothing(machines.raspberry, whole), '32-bit', ['arm, on aarch64']],
  // taken out of the package
  ['copied from a Mac', nothing(machines.linux, only('darwin-')), 'pruned', ['darwin-arm64, darwin-x64', 'Docker']],
  ['another processor', nothing(machines.linux, only('linux-arm64')), 'pruned', ['has only linux-arm64 (glibc, musl)']],
  ['all but ours', nothing(machines.windows, only('linux-')), 'pruned', ['lost its addon for win32-x64']],
  ['an empty folder', nothing(machines.linux, []), 'emptied', ['prebuilds/ is empty', '.dockerignore']],
  ['no folder', nothing(machines.alpine, undefined), 'emptied', ['prebuilds/ is not there', '(linux-x64, musl)']],
  // the other libc, the other Mac
  [
    'Alpine, the file of glibc',
    nothing(machines.alpine, only('linux-x64/node-ip-adapter.g')),
    'other-libc',
    ['has musl'],
  ],
  [
    'glibc, the file of musl',
    nothing(machines.linux, only('linux-x64/node-ip-adapter.m')),
    'other-libc',
    ['glibc 2.36'],
  ],
  ['Apple Silicon', nothing(machines.mac, only('darwin-x64')), 'other-mac', ['Apple Silicon', 'only darwin-x64']],
  ['an Intel Mac', nothing(machines.intelMac, only('darwin-arm64')), 'other-mac', ['Intel', 'only darwin-arm64']],
  ['Rosetta', nothing(machines.rosetta, only('darwin-arm64')), 'rosetta', ['Rosetta', 'darwin-arm64']],
  // what IPA_BINARY names
  ['named in vain', named(machines.linux, { file: { state: 'absent' } }), 'named-absent', ['IPA_BINARY', 'no file']],
  ['a folder', named(machines.linux, { file: { state: 'folder' } }), 'named-folder', ['IPA_BINARY', 'a folder']],
  [
    'named .so',
    named(machines.linux, { path: '/srv/mine.so', reason: 'Invalid or unexpected token' }),
    'named-without-node',
    ['IPA_BINARY', 'end in .node'],
  ],
  [
    'named for another machine',
    named(machines.linux, { file: elf('arm64'), reason: 'cannot open shared object file: No such file or directory' }),
    'other-machine',
    ['IPA_BINARY', 'an ELF file for arm64', 'this Node is linux-x64'],
  ],
  // the wrong file
  [
    'a pointer',
    found(machines.linux, { file: text(132, ' (a Git LFS pointer)'), reason: 'file too short' }),
    'not-native',
    ['is 132 bytes of text (a Git LFS pointer), no native addon'],
  ],
  [
    'a page, on Windows',
    found(machines.windows, { file: text(1024, ' (an HTML page)'), reason: 'x is not a valid Win32 application.' }),
    'not-native',
    ['an HTML page'],
  ],
  ['a Mac file on Linux', found(machines.linux, { file: found(machines.mac, {}).file }), 'other-machine', ['Mach-O']],
  [
    'half a file',
    found(machines.linux, { file: elf('x64', 1_000_000, 5_561_432), reason: 'file too short' }),
    'cut-off',
    ['has 1000000 bytes of 5561432'],
  ],
  [
    'half a file on a Mac',
    found(machines.mac, { reason: "dlopen(x): 'x' (truncated mach-o error: segment __TEXT extends past end of file)" }),
    'cut-off',
    ['3000000 bytes'],
  ],
  // the C library
  [
    'an old glibc',
    found(machines.old, { reason: "/lib64/libc.so.6: version `GLIBC_2.28' not found (required by x.node)" }),
    'old-glibc',
    ['needs glibc 2.28, this system has 2.17'],
  ],
  [
    'an old libstdc++',
    local(machines.linux, { reason: "/usr/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by x)" }),
    'old-libstdc++',
    ['GLIBCXX_3.4.32', 'prebuilds/linux-x64/node-ip-adapter.glibc.node stands behind it'],
  ],
  [
    'glibc by its name, not tried',
    found(machines.alpine, { path: `${root}/prebuilds/linux-x64/node-ip-adapter.glibc.node` }),
    'wrong-libc',
    ['is for glibc, this system has musl'],
  ],
  [
    'glibc, as musl says it',
    local(machines.alpine, {
      reason: 'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by x.node)',
    }),
    'wrong-libc',
    ['is for glibc'],
  ],
  [
    'glibc symbols, as musl says it',
    local(machines.alpine, { reason: 'Error relocating x.node: __memcpy_chk: symbol not found' }),
    'wrong-libc',
    ['is for glibc'],
  ],
  [
    'musl, as glibc says it',
    local(machines.linux, {
      reason: 'libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory',
    }),
    'wrong-libc',
    ['is for musl, this system has glibc'],
  ],
  // other versions and packages
  [
    'an old build',
    local(machines.linux, { version: '0.0.9' }),
    'other-version',
    ['build-cmake/Release', 'of version 0.0.9', 'of version 0.1.0', 'prebuilds/linux-x64/node-ip-adapter.glibc.node'],
  ],
  ['an addon of others', named(machines.linux, { lacks: ['Engine', 'Stop'] }), 'other-addon', ['lacks Engine, Stop']],
  // the system says no
  [
    'antivirus',
    found(machines.windows, { file: { state: 'unreadable', errno: 'EPERM' }, reason: 'Access is denied.' }),
    'quarantined',
    ['EPERM', 'antivirus'],
  ],
  [
    'no right to read',
    found(machines.linux, { file: { state: 'unreadable', errno: 'EACCES' }, reason: 'Permission denied' }),
    'unreadable',
    ['cannot be read (EACCES)'],
  ],
  [
    'noexec',
    found(machines.linux, {
      reason: 'x.node: failed to map segment from shared object: Operation not permitted',
    }),
    'noexec',
    ['a file system, which is mounted with noexec'],
  ],
  [
    'noexec, by the list of mounts',
    found(machines.linux, { reason: 'x.node: failed to map segment from shared object', noexec: '/srv/data' }),
    'noexec',
    ['"/srv/data", which is mounted with noexec'],
  ],
  [
    'noexec under musl',
    found(machines.alpine, { reason: 'Error loading shared library /x.node: Operation not permitted' }),
    'noexec',
    ['noexec'],
  ],
  [
    'SELinux, without a reason',
    found(machines.linux, { reason: 'x.node: failed to map segment from shared object' }),
    'denied',
    ['SELinux'],
  ],
  [
    'too little address space is none of them',
    found(machines.linux, { reason: 'x.node: failed to map segment from shared object: Cannot allocate memory' }),
    'other',
    ['Cannot allocate memory'],
  ],
  [
    'SELinux',
    found(machines.linux, { reason: 'x.node: failed to map segment from shared object: Permission denied' }),
    'denied',
    ['SELinux'],
  ],
  [
    'a library that is not installed',
    local(machines.linux, {
      reason: 'libstdc++.so.6: cannot open shared object file: No such file or directory',
    }),
    'no-library',
    ['needs libstdc++.so.6, which this system has not'],
  ],
  [
    'the same under musl',
    local(machines.alpine, {
      reason: 'Error loading shared library libstdc++.so.6: No such file or directory (needed by /x.node)',
    }),
    'no-library',
    ['needs libstdc++.so.6'],
  ],
  [
    'a signature',
    found(machines.mac, { reason: "dlopen: code signature in 'x' not valid for use in process: Trying to load" }),
    'mac-policy',
    ['refused by macOS'],
  ],
  [
    'an old macOS',
    found(machines.mac, { reason: 'Symbol not found: _x. Referenced from: x (which was built for Mac OS X 11.0)' }),
    'old-mac',
    ['newer macOS'],
  ],
  [
    'a DLL',
    found(machines.windows, { reason: '\\\\?\\C:\\x.node: The specified module could not be found.' }),
    'windows-module',
    ['DLLs of Windows', 'win32-x64'],
  ],
  [
    'no program',
    found(machines.windows, { reason: '\\\\?\\C:\\x.node is not a valid Win32 application.' }),
    'windows-invalid',
    ['of 3000000 bytes'],
  ],
  [
    '32 bits under the right name',
    found(machines.windows, {
      file: { state: 'file', size: 9, kind: { text: 'a PE file for ia32', format: 'PE', archs: ['ia32'] } },
      reason: '\\\\?\\C:\\x.node is not a valid Win32 application.',
    }),
    'other-machine',
    ['a PE file for ia32'],
  ],
  ['whatever else', found(machines.linux, { reason: 'x: invalid\n version 9' }), 'other', ['x: invalid version 9']],
];
