// What a prebuilt addon asks of a machine is read from its bytes: an addon that is as it should be gives no complaint, and
// one in which a single thing is otherwise gives exactly one, that says what.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { checkFile } from '../../../scripts/cross/check-file.mjs';
import { MACHINES, machine } from '../../../scripts/cross/machines.mjs';
import { Reader } from '../../../scripts/cross/reader.mjs';
import { isNewer, limitsOf } from '../../../scripts/cross/systems.mjs';
import {
  ENTRIES,
  type MadeElf,
  type MadeMachO,
  type MadePe,
  madeElf,
  madeMachO,
  madePe,
  u8,
  u32BigEndian,
  u64,
} from './made-files.js';

const folders = ['/somewhere/built'];
const complaints = (name: string, bytes: Uint8Array): string[] =>
  checkFile(machine(name), bytes, { folders }).complaints;
/** One row: what is otherwise, and the complaint without the file's name; none where that is fine too. */
type Row<Made> = readonly [change: Made, complaint?: RegExp];

const rows = <Made>(name: string, made: (change: Made) => Buffer, table: readonly Row<Made>[]): void => {
  const { folder, file } = machine(name);
  t.test(name, async (test) => {
    for (const [change, complaint] of table) {
      const what = JSON.stringify(change).slice(0, 100);
      const found = complaints(name, made(change));
      if (complaint === undefined) test.strictSame(found, [], `${what} is fine`);
      else if (test.equal(found.length, 1, `${what}: ${found.join(' | ')}`)) {
        test.ok(found[0]!.startsWith(`${folder}/${file}: `));
        test.match(found[0], complaint, what);
      }
    }
  });
};

// ---- Linux ----

const GLIBC: MadeElf = {
  needed: ['libm.so.6', 'libc.so.6', 'ld-linux-x86-64.so.2', 'libpthread.so.0', 'libdl.so.2'],
  wanted: ['napi_create_object', 'malloc@libc.so.6@GLIBC_2.2.5', 'pow@libm.so.6@GLIBC_2.28', '~_ITM_nothing'],
};
const inBoth: readonly Row<MadeElf>[] = [
  [{}],
  [{ gnuHash: true }],
  [{ type: 2 }, /is no library that a program can load$/],
  [{ exported: [...ENTRIES, '_Znwm'] }, /exports _Znwm; only napi_register_module_v1, /],
  [{ exported: [ENTRIES[0]!] }, /lacks node_api_module_get_api_version_v1; Node looks for them$/],
  [{ stack: 7 }, /asks for a stack that can be executed/],
  [{ stack: undefined }, /asks for a stack that can be executed/],
  [{ tags: [[22, 0]] }, /code that is rewritten when loaded/],
  [{ tags: [[30, 4]] }, /code that is rewritten when loaded/],
  [{ tags: [[30, 8]] }],
  [{ runpath: '$ORIGIN' }, /looks for libraries in \$ORIGIN; nowhere but/],
  [{ symbolTable: true }, /is not stripped$/],
  [{ filler: 'x'.repeat(6e6) }, /has 60\d{5} bytes; 6000000 are allowed$/],
  [{ filler: '/somewhere/built/native' }, /holds the path \/somewhere\/built; /],
  [{ filler: 'see /home/someone/native' }, /holds the path \/home\/someone\/; /],
  [{ filler: ['see ', 'root', 'native'].join('/') }, /holds the path \/root\/; /],
];

const x64 = (change: MadeElf): Buffer => madeElf({ ...GLIBC, ...change });
rows<MadeElf>('linux-x64', x64, [
  ...inBoth,
  [{ machine: 183 }, /is for aarch64; linux-x64 is x86_64$/],
  [{ machine: 3 }, /is for ELF machine 3; /],
  [{ needed: ['libc.so.6', 'libstdc++.so.6'] }, /needs libstdc\+\+\.so\.6; of libraries only those of glibc/],
  [{ needed: ['libc.so'] }, /needs libc\.so; /],
  [{ wanted: ['log@libm.so.6@GLIBC_2.29'] }, /needs glibc 2\.29; 2\.28 is allowed$/],
  [{ wanted: ['log@libm.so.6@GLIBC_2.28.1'] }, /needs glibc 2\.28\.1; /],
  [{ wanted: ['log@libm.so.6@GLIBC_2.4'] }],
  [{ hidden: true }],
  [{ wanted: ['log@libm.so.6@GLIBC_ABI_DT_RELR'] }, /needs glibc 2\.36; /],
  [{ tags: [[36, 64]] }, /needs glibc 2\.36; /],
  [{ wanted: ['log@libm.so.6@GLIBC_PRIVATE'] }, /needs GLIBC_PRIVATE of libm\.so\.6; only numbered versions/],
  [{ wanted: ['_Znwm@libc.so.6@GLIBCXX_3.4'] }, /needs GLIBCXX_3\.4 of libc\.so\.6; /],
  [{ wanted: ['uv_loop_new'] }, /imports uv_loop_new; only Node-API and glibc are allowed$/],
  [{ alignment: 4096 }],
  [{ alignment: 512 }, /segments aligned to 512 bytes; memory pages of 4096 are allowed for$/],
]);

rows<MadeElf>('linux-arm64', (change) => x64({ machine: 183, ...change }), [
  ...inBoth,
  [{ machine: 62 }, /is for x86_64; linux-arm64 is aarch64$/],
  [{ alignment: 16384 }, /segments aligned to 16384 bytes; memory pages of 65536/],
]);

const MUSL: MadeElf = { needed: ['libc.so'], wanted: ['napi_create_object', 'malloc', 'pow', '~_ITM_nothing'] };
for (const [name, processor] of [
  ['linux-x64-musl', 62],
  ['linux-arm64-musl', 183],
] as const)
  rows<MadeElf>(name, (change) => madeElf({ machine: processor, ...MUSL, ...change }), [
    ...inBoth,
    [{ needed: ['libc.musl-x86_64.so.1'] }],
    [{ tags: [[36, 64]] }],
    [{ needed: ['libc.so.6'] }, /needs libc\.so\.6; of libraries only libc\.so is allowed$/],
    [{ needed: ['libc.so', 'libgcc_s.so.1'] }, /needs libgcc_s\.so\.1; /],
    [{ wanted: ['pow@libc.so@GLIBC_2.28'] }, /needs GLIBC_2\.28 of libc\.so; musl has no versions$/],
    [{ wanted: ['statx', 'preadv'] }, /imports statx; only Node-API and musl 1\.2\.4 are allowed$/],
    [{ wanted: ['__isoc23_sscanf'] }, /imports __isoc23_sscanf; /],
  ]);

// ---- macOS ----

const WANTED: MadeMachO['wanted'] = [
  ['_malloc', 1],
  ['_napi_create_object', 254],
];
for (const [name, processor, other] of [
  ['darwin-arm64', 0x0100000c, 0x01000007],
  ['darwin-x64', 0x01000007, 0x0100000c],
] as const)
  rows<MadeMachO>(name, (change) => madeMachO({ processor, wanted: WANTED, ...change }), [
    [{}],
    [{ type: 8 }],
    [{ oldCommand: true }],
    [{ inTree: [] }],
    [{ processor: other }, /is for (x86_64|aarch64); darwin/],
    [{ type: 2 }, /is no library that a program can load$/],
    [{ macos: [11, 1] }, /needs macOS 11\.1; 11\.0 is allowed$/],
    [{ macos: [12, 0], oldCommand: true }, /needs macOS 12\.0; /],
    [{ macos: [10, 15] }],
    [{ platform: 2 }, /does not say which macOS it needs; /],
    [{ macos: undefined }, /does not say which macOS it needs; 11\.0 is allowed$/],
    [
      { libraries: ['/usr/lib/libSystem.B.dylib', '/usr/lib/libc++.1.dylib'] },
      /needs \/usr\/lib\/libc\+\+\.1\.dylib; only \/usr\/lib\/libSystem\.B\.dylib is allowed$/,
    ],
    [{ searched: ['@loader_path'] }, /looks for libraries in @loader_path; /],
    [{ wanted: [['_uv_loop_new', 254]] }, /imports _uv_loop_new; of any library only Node-API is allowed$/],
    [{ wanted: [['_malloc', 254]] }, /imports _malloc; /],
    [{ wanted: [['_napi_throw', 1]] }, /imports _napi_throw of \/usr\/lib\/libSystem\.B\.dylib; the program has/],
    [{ wanted: [['_strchrnul', 1, true]] }],
    [{ wanted: [['_strchrnul', 1]] }, /imports _strchrnul; macOS 11 has them not$/],
    [{ flags: 0x5 }, /imports _malloc; of any library/],
    [{ exported: [...ENTRIES.map((entry) => `_${entry}`), '__Znwm'] }, /exports _Znwm; /],
    [{ inTree: [...ENTRIES.map((entry) => `_${entry}`), '___dso_handle'] }, /exports __dso_handle; /],
    [{ exported: ['_napi_register_module_v1'] }, /lacks node_api_module_get_api_version_v1; /],
    [{ signature: undefined }, /has no code signature; an ad-hoc one is demanded$/],
    [{ signature: { flags: 0x2 } }],
    [{ signature: { flags: 0 } }, /has a code signature of somebody; /],
    [{ signature: { pageBits: 14 } }],
    [{ signature: { hashType: 1 } }, /cannot be read .* hashes of type 1, 32 bytes, pages of 2\^12$/],
    [{ signature: { without: 1 } }, /it has \d page hashes, \d are due$/],
    [{ signature: { requirements: ['any', 'any'] } }],
    [{ signature: { requirements: ['any', 'other'] } }, /it has another hash than its part 2$/],
    [{ signature: { identifier: '' } }, /has a code signature without an identifier$/],
    [{ filler: '/Users/someone/x ' }, /holds the path \/Users\/someone\/; /],
  ]);

t.test('a signature is that of every byte before it', async (test) => {
  const whole = madeMachO({ wanted: WANTED });
  test.strictSame(complaints('darwin-arm64', whole), []);
  const last = madeMachO({ wanted: WANTED, signature: undefined }).length;
  for (const at of [5000, 4095, 4096, last - 1]) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1;
    const found = complaints('darwin-arm64', changed).filter((line) => !/exports|lacks|imports/.test(line));
    test.match(found, [/signature that is not its own: it has other hashes than 1 of \d pages$/], `byte ${at}`);
  }
  const longer = complaints('darwin-arm64', Buffer.concat([whole, Buffer.alloc(8)]));
  test.match(longer, [/it ends at byte \d+ of \d+$/]);
  const covers = madeMachO({ wanted: WANTED, signature: { limit: 4096 } });
  test.match(complaints('darwin-arm64', covers).join('\n'), /it covers 4096 bytes of the \d+ before it/);
  const blob = whole.indexOf(u32BigEndian(0xfade0cc0));
  test.ok(blob > 0);
  const other = Buffer.concat([whole.subarray(0, blob), Buffer.alloc(whole.length - blob)]);
  test.match(complaints('darwin-arm64', other), [/cannot be read .*the signature is none$/]);
});

// ---- Windows ----

rows<MadePe>('win32-x64', madePe, [
  [{}],
  [{ delayed: { 'node.exe': ['napi_throw'] } }],
  [{ delayed: { 'NODE.EXE': ['napi_throw'] } }],
  [{ imports: { 'ntdll.dll': [7], 'api-ms-win-crt-math-l1-1-0.dll': ['pow'] } }],
  [{ imports: {} }],
  [{ machine: 0xaa64 }, /is for aarch64; win32-x64 is x86_64$/],
  [{ characteristics: 0x22 }, /is no library that a program can load$/],
  [{ imports: { 'VCRUNTIME140.dll': ['memcpy'] } }, /needs VCRUNTIME140\.dll; only DLLs of Windows are allowed/],
  [{ imports: { 'node.exe': ['napi_throw'] } }, /needs node\.exe; /],
  [{ delayed: { 'other.dll': ['napi_throw'] } }, /loads when first called other\.dll; only node\.exe is allowed$/],
  [{ delayed: { 'node.exe': ['uv_loop_new'] } }, /imports uv_loop_new; of node\.exe only Node-API is allowed$/],
  [{ exported: [...ENTRIES, 'DllMain'] }, /exports DllMain; /],
  [{ exported: [ENTRIES[1]!] }, /lacks napi_register_module_v1; /],
  [{ unnamed: 2 }, /exports 2 functions without a name; /],
  [{ oneTable: true }],
  [{ oneTable: true, imports: { 'node.exe': ['napi_throw'] } }, /needs node\.exe; /],
  [{ windows: [10, 1] }, /needs Windows 10\.1; 10\.0 is allowed$/],
  [{ repeatable: false, timestamp: 1e9 }, /has the time stamp 2001-09-09T01:46:40\.000Z, and a second build another$/],
  [{ repeatable: false, timestamp: 0 }],
  [{ filler: Buffer.from('/somewhere/built', 'utf16le').toString('latin1') }, /holds the path \/somewhere\/built; /],
  [{ filler: 'C:\\Users\\someone' }, /holds the path C:\\Users\\; /],
]);

// ---- all ----

const madeFor = (name: string): Buffer => {
  const { cpu, system } = limitsOf(machine(name));
  if (system === 'linux-gnu') return madeElf({ ...GLIBC, machine: cpu === 'x86_64' ? 62 : 183 });
  if (system === 'linux-musl') return madeElf({ ...MUSL, machine: cpu === 'x86_64' ? 62 : 183 });
  if (system === 'macos') return madeMachO({ wanted: WANTED, processor: cpu === 'x86_64' ? 0x01000007 : 0x0100000c });
  return madePe({ delayed: { 'node.exe': ['napi_throw'] } });
};

t.test('every machine has its rules, and takes no file of another', async (test) => {
  for (const { name } of MACHINES)
    for (const other of MACHINES) {
      const found = complaints(name, madeFor(other.name));
      test.equal(found.length === 0, name === other.name, `${name} given ${other.name}: ${found.join(' | ')}`);
    }
  const unknown = { ...machine('linux-x64'), target: 'sparc-plan9' };
  test.throws(() => limitsOf(unknown), /no rules for sparc-plan9/);
});

t.test('the summary says what is needed', async (test) => {
  const summary = (name: string): string => checkFile(machine(name), madeFor(name)).summary;
  test.equal(summary('linux-x64'), 'linux-x64/node-ip-adapter.glibc.node: needs glibc 2.28; 0.0 MB');
  test.equal(summary('darwin-x64'), 'darwin-x64/node-ip-adapter.node: needs macOS 11.0; 0.0 MB');
  test.equal(summary('win32-x64'), 'win32-x64/node-ip-adapter.node: needs DLLs KERNEL32; 0.0 MB');
});

t.test('versions are compared by number', async (test) => {
  for (const [left, right] of [
    ['2.28', '2.4'],
    ['2.4.1', '2.4'],
    ['11.0', '10.15'],
  ] as const) {
    test.ok(isNewer(left, right), `${left} after ${right}`);
    test.notOk(isNewer(right, left));
  }
  test.notOk(isNewer('2.28', '2.28') || isNewer('11.0', '11'));
});

t.test('a damaged file is a complaint, whatever happened to it', async (test) => {
  const given = fc.constantFrom(...MACHINES.map(({ name }) => ({ name, bytes: madeFor(name) })));
  const often = { numRuns: 3000 };
  const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const isRefused = (name: string, bytes: Uint8Array): boolean => complaints(name, bytes).length > 0;
  fc.assert(
    fc.property(given, part, ({ name, bytes }, kept) => isRefused(name, bytes.subarray(0, bytes.length * kept))),
    often,
  );
  fc.assert(
    fc.property(given, fc.nat(64), fc.uint8Array({ maxLength: 600 }), ({ name, bytes }, kept, noise) =>
      isRefused(name, Buffer.concat([bytes.subarray(0, kept), noise])),
    ),
    often,
  );
  const change = fc.tuple(fc.nat(2000), fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)));
  fc.assert(
    fc.property(given, fc.array(change, { minLength: 1, maxLength: 8 }), ({ name, bytes }, list) => {
      const changed = Buffer.from(bytes);
      for (const [at, value] of list) changed[at % changed.length] = value;
      complaints(name, changed); // of no consequence perhaps, but it never throws
    }),
    often,
  );
  test.pass('nothing was thrown');
});

/** A copy with another number at this place. */
const u64At = (bytes: Buffer, at: number, value: number): Buffer =>
  Buffer.concat([bytes.subarray(0, at), u64(value), bytes.subarray(at + 8)]);

t.test('a file made to lead astray is a complaint, and soon', async (test) => {
  const numbers = Array.from({ length: 20_000 }, (_, i) => i + 1);
  const many = Object.fromEntries(numbers.map((i) => [`${i}.dll`, i === 1 ? numbers : []] as const));
  const astray: readonly (readonly [name: string, bytes: Buffer, complaint: RegExp])[] = [
    // two branches that both lead back to the root
    ['darwin-arm64', madeMachO({ treeBytes: u8(0, 2, 97, 0, 0, 98, 0, 0) }), /the exports are no tree$/],
    ['darwin-arm64', madeMachO({ treeBytes: u8(0, 1, 97, 0, 99) }), /the exports point outside themselves$/],
    ['linux-x64', u64At(madeElf(GLIBC), 64 + 32, 1e6), /a segment at byte 0, of 1000000 bytes, lies outside the file/],
    ['linux-x64', u64At(madeElf(GLIBC), 40, 2 ** 40), /the section headers at byte 1099511627776/],
    // libraries whose lists of symbols are one and the same, and long
    ['win32-x64', madePe({ imports: many, oneList: true }), /more imports than the file has room for$/],
  ];
  for (const [name, bytes, complaint] of astray) test.match(complaints(name, bytes), [complaint]);
});

t.test('texts end where they may, and are no longer than the file', async (test) => {
  const file = new Reader(Buffer.from('abc\0def'));
  test.equal(file.text(1), 'bc');
  test.equal(file.text(1, 4), 'bc');
  test.throws(() => file.text(1, 3), /the text at byte 1 has no end/);
  test.throws(() => file.text(5), /has no end/);
  test.throws(() => file.text(8), /outside the file/);
  test.throws(() => {
    for (let i = 0; i < 10; i += 1) file.text(0);
  }, /names are longer than the file has room for/);
});

t.test('the addon of this clone', async (test) => {
  const file = fileURLToPath(new URL('../../../build-cmake/Release/node_ip_adapter.node', import.meta.url));
  test.ok(existsSync(file), 'it is built');
  const own = MACHINES.find(({ folder }) => folder === `${process.platform}-${process.arch}`)!;
  const found = checkFile(own, readFileSync(file), { oldest: '99.0' });
  for (const text of found.complaints) test.match(text, /: is not stripped$/);
  test.match(found.summary, /needs (glibc 2\.\d+|macOS \d+\.\d+|DLLs \w+)/);
});
