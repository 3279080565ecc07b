// What addons may ask of the systems that they are made for: the rules, a table per system, and what a machine has.
// One more thing to look at: a rule here. One more system: a row of SYSTEMS and its reader.
import { readFileSync } from 'node:fs';
import { readElf } from './elf.mjs';
import { readMachO } from './mach-o.mjs';
import { readPe } from './pe.mjs';

/** @typedef {{ cpu: string, system: string, oldest?: string }} Limits what a machine has */
/**
 * @template Facts
 * @typedef {object} System
 * @property {(bytes: Uint8Array) => Facts} read
 * @property {(file: Facts) => string} needs what it asks for, in a few words
 * @property {readonly ((file: Facts, limits: Limits) => string[])[]} rules each gives what is wrong, as `needs …`
 */

const NODE_API = /^(napi|node_api)_/;

/** A few names of many. @param {readonly string[]} names */
const some = (names) => names.slice(0, 8).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
/** One complaint about all names that are not as they should be. */
export const about = (
  /** @type {string} */ verb,
  /** @type {readonly string[]} */ wrong,
  /** @type {string} */ allowed,
) => (wrong.length > 0 ? [`${verb} ${some(wrong)}; ${allowed}`] : []);
export const when = (/** @type {boolean} */ isWrong, /** @type {string} */ text) => (isWrong ? [text] : []);

/** Whether a version such as 2.28 comes after another. @param {string} left @param {string} right */
export const isNewer = (left, right) => {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  const place = a.findIndex((part, i) => part !== (b[i] ?? 0));
  return place >= 0 && a[place] > (b[place] ?? 0);
};

// ---- Linux ----

/** Of glibc, where it is one library or several. */
const GLIBC_LIBRARIES = /^(libc|libm|libdl|libpthread|librt|ld-linux[\w-]*)\.so\.\d$/;
/** What needs a glibc of which no version number says so. source: glibc's NEWS for 2.36 */
const GLIBC_ABI = new Map([['GLIBC_ABI_DT_RELR', '2.36']]);
/** musl takes any name of libc for itself; Alpine's compiler writes the second one. */
const MUSL_LIBRARIES = /^libc(\.so|\.musl-\w+\.so\.1)$/;
/**
 * What musl 1.2.4 (Alpine 3.18) exports on every processor: the compiler's list, of 1.2.5, without preadv2, pwritev2 and
 * statx, which 1.2.4 lacks. source: the lists that Zig 0.16 and a 0.12 of 2023 carry, lib/libc/musl/libc.S
 */
const MUSL = new Set(
  readFileSync(new URL('musl-1.2.4.txt', import.meta.url), 'utf8')
    .trim()
    .split(/\s+/),
);
const LARGEST_PAGE = { x86_64: 4096, aarch64: 65536 }; // bytes, that a kernel for this processor may have

const glibcVersion = (/** @type {string} */ version) =>
  GLIBC_ABI.get(version) ?? /^GLIBC_(2(?:\.\d+)+)$/.exec(version)?.[1];

/** The glibc that a file needs at least. @param {import('./elf.mjs').Elf} file */
export const glibcOf = (file) => {
  // trap: an older one does not know packed relocations and leaves them out, whether a version says so or not
  const least = file.packedRelocations ? '2.36' : '2.0';
  return file.versions.reduce((newest, { version }) => {
    const own = glibcVersion(version) ?? '2.0';
    return isNewer(own, newest) ? own : newest;
  }, least);
};

/** Libraries that a glibc system may not have. @param {import('./elf.mjs').Elf} file */
export const foreignLibraries = (file) => file.needed.filter((name) => !GLIBC_LIBRARIES.test(name));

/** @type {System<import('./elf.mjs').Elf>['rules']} */
const ELF = [
  (file) => when(file.executableStack, 'asks for a stack that can be executed; systems refuse that'),
  (file) => when(file.textRelocations, 'has code that is rewritten when loaded; systems refuse that'),
  (file) => when(!file.stripped, 'is not stripped'),
  (file, { cpu }) =>
    when(
      file.alignment % LARGEST_PAGE[cpu] !== 0,
      `has segments aligned to ${file.alignment} bytes; memory pages of ${LARGEST_PAGE[cpu]} are allowed for`,
    ),
  (file) => about('looks for libraries in', file.searched, 'nowhere but where the system has them is allowed'),
];

/** @type {System<import('./elf.mjs').Elf>} */
const glibc = {
  read: readElf,
  needs: (file) => `glibc ${glibcOf(file)}`,
  rules: [
    ...ELF,
    (file) => about('needs', foreignLibraries(file), 'of libraries only those of glibc are allowed'),
    (file, { oldest }) =>
      when(isNewer(glibcOf(file), oldest ?? '2.0'), `needs glibc ${glibcOf(file)}; ${oldest} is allowed`),
    (file) => {
      const unknown = file.versions.filter(({ version }) => !glibcVersion(version));
      return about(
        'needs',
        unknown.map(({ library, version }) => `${version} of ${library}`),
        'only numbered versions of glibc are allowed',
      );
    },
    (file) => {
      const unknown = file.wanted.filter(({ name, version, weak }) => !version && !weak && !NODE_API.test(name));
      return about(
        'imports',
        unknown.map(({ name }) => name),
        'only Node-API and glibc are allowed',
      );
    },
  ],
};

/** @type {System<import('./elf.mjs').Elf>} */
const musl = {
  read: readElf,
  needs: () => 'musl',
  rules: [
    ...ELF,
    (file) => {
      const foreign = file.needed.filter((name) => !MUSL_LIBRARIES.test(name));
      return about('needs', foreign, 'of libraries only libc.so is allowed');
    },
    (file) => {
      const versions = file.versions.map(({ library, version }) => `${version} of ${library}`);
      return about('needs', versions, 'musl has no versions');
    },
    (file) => {
      const unknown = file.wanted.filter(({ name, weak }) => !weak && !NODE_API.test(name) && !MUSL.has(name));
      return about(
        'imports',
        unknown.map(({ name }) => name),
        'only Node-API and musl 1.2.4 are allowed',
      );
    },
  ],
};

// ---- macOS ----

const LIBSYSTEM = '/usr/lib/libSystem.B.dylib';
/** What libSystem got after macOS 11. source: the availability in Apple's headers, as the compiler carries them */
const AFTER_MACOS_11 =
  /^_(malloc_type_\w+|malloc_zone_malloc_with_options|os_sync_\w+|os_unfair_lock_lock_with_flags|mach_task_is_self|mkfifoat|mknodat|freadlink|strchrnul|funmount|fdclosedir|fdscandir\w*|scandirat\w*|backtrace_async|pthread_jit_write_with_callback_np|posix_spawn_file_actions_add(f?)chdir|__\w+f16)$/;

/** @type {System<import('./mach-o.mjs').MachO>} */
const darwin = {
  read: readMachO,
  needs: ({ macos }) => `macOS ${macos ?? 'of any version'}`,
  rules: [
    ({ libraries }) =>
      about(
        'needs',
        libraries.filter((name) => name !== LIBSYSTEM),
        `only ${LIBSYSTEM} is allowed`,
      ),
    ({ searched }) => about('looks for libraries in', searched, 'nowhere but where the system has them is allowed'),
    ({ macos }, { oldest }) => when(!macos, `does not say which macOS it needs; ${oldest} is allowed`),
    ({ macos }, { oldest }) => when(isNewer(macos ?? '0', oldest ?? '0'), `needs macOS ${macos}; ${oldest} is allowed`),
    ({ wanted }) => {
      const loose = wanted.filter(({ name, library }) => !library && !NODE_API.test(name.slice(1)));
      return about(
        'imports',
        loose.map(({ name }) => name),
        'of any library only Node-API is allowed',
      );
    },
    ({ wanted }) => {
      const tied = wanted.filter(({ name, library }) => library && NODE_API.test(name.slice(1)));
      return about(
        'imports',
        tied.map(({ name, library }) => `${name} of ${library}`),
        'the program has Node-API',
      );
    },
    ({ wanted }) => {
      const late = wanted.filter(({ name, weak }) => !weak && AFTER_MACOS_11.test(name));
      return about(
        'imports',
        late.map(({ name }) => name),
        'macOS 11 has them not',
      );
    },
    ({ signature }) => when(!signature, 'has no code signature; an ad-hoc one is demanded'),
    ({ signature }) => when(signature?.adHoc === false, 'has a code signature of somebody; an ad-hoc one is demanded'),
    ({ signature }) => when(signature?.identifier === '', 'has a code signature without an identifier'),
    ({ signature }) => (signature?.wrong ?? []).map((text) => `has a code signature that is not its own: it ${text}`),
  ],
};

// ---- Windows ----

/** What every Windows 10 has; the names api-ms-win-crt-… stand for its ucrtbase. */
const SYSTEM_DLLS = /^(kernel32|ntdll|advapi32|bcrypt|bcryptprimitives|ucrtbase|api-ms-win-(crt|core)-[\w-]+)\.dll$/i;
const NODE = /^node\.exe$/i;
const WINDOWS_10 = '10.0';

/** @type {System<import('./pe.mjs').Pe>} */
const win32 = {
  read: readPe,
  needs: ({ imports }) => {
    const short = imports.map(({ library }) =>
      library.replace(/\.dll$/i, '').replace(/^api-ms-win-crt-.*/i, 'ucrtbase'),
    );
    return `DLLs ${[...new Set(short)].join(', ')}`;
  },
  rules: [
    ({ imports }) =>
      about(
        'needs',
        imports.map(({ library }) => library).filter((name) => !SYSTEM_DLLS.test(name)),
        'only DLLs of Windows are allowed, and node.exe when it is first called',
      ),
    ({ delayed }) =>
      about(
        'loads when first called',
        delayed.map(({ library }) => library).filter((name) => !NODE.test(name)),
        'only node.exe is allowed',
      ),
    ({ delayed }) =>
      about(
        'imports',
        delayed.flatMap(({ symbols }) => symbols).filter((name) => !NODE_API.test(name)),
        'of node.exe only Node-API is allowed',
      ),
    ({ windows }) => when(isNewer(windows, WINDOWS_10), `needs Windows ${windows}; ${WINDOWS_10} is allowed`),
    ({ repeatable, timestamp }) =>
      when(
        !repeatable && timestamp !== 0,
        `has the time stamp ${new Date(timestamp * 1000).toISOString()}, and a second build another`,
      ),
  ],
};

// ---- all ----

/** @type {Record<string, System<any>>} */
export const SYSTEMS = { 'linux-gnu': glibc, 'linux-musl': musl, macos: darwin, 'windows-gnu': win32 };

/** What a machine has, from what the cross compiler calls it. @param {import('./machines.mjs').Machine} machine */
export function limitsOf({ name, target }) {
  const [, cpu, system, oldest] = /^(\w+?)-([a-z-]+)(?:\.([\d.]+))?$/.exec(target) ?? [];
  if (system in SYSTEMS) return { cpu, system, oldest };
  throw new Error(`${name}: no rules for ${target}; known: ${Object.keys(SYSTEMS).join(', ')}`);
}
