// A library for macOS is finished at its end alone: what the loader needs stays as it was, and all else is gone.
import t from 'tap';
import { checkFile, ENTRIES } from '../../../scripts/cross/check-file.mjs';
import { readMachO } from '../../../scripts/cross/mach-o.mjs';
import { finishMachO } from '../../../scripts/cross/mach-o-finish.mjs';
import { machine } from '../../../scripts/cross/machines.mjs';
import { DamagedFile } from '../../../scripts/cross/reader.mjs';
import { Bytes, u8, u16, u32, u64 } from './made-files.js';

const PARTS = { rebase: 'rebase!!', bind: 'bind', weak: 'weak-bind', lazy: 'lazy', exports: '\0\0', data: 'data' };
const [WITHIN, ABSOLUTE] = [0x80000000, 0x40000000];
/** The made library: local, exported and imported symbols as the cross compiler's linker leaves them. */
const SYMBOLS: readonly (readonly [name: string, type: number, description: number, address: number])[] = [
  ['_local', 0xe, 0, 0x1010],
  ['_private', 0x1f, 0, 0x1020],
  ['_source.cpp', 0x64, 0, 0],
  ['__Znwm', 0xf, 0x80, 0x1030],
  ['_node_api_module_get_api_version_v1', 0xf, 0, 0x1040],
  ['_napi_register_module_v1', 0xf, 0, 0x12345],
  ['_napi_create_object', 0x1, 254 << 8, 0],
  ['_malloc', 0x1, 1 << 8, 0],
];
const INDIRECT = [6, 7, 3, WITHIN, ABSOLUTE, 0];
const ADDRESS_OF_END = 0x8000;

interface Made {
  readonly without?: readonly string[];
  /** Load commands behind all others. */
  readonly more?: readonly Buffer[];
  /** Bytes between the load commands and the code. */
  readonly room?: number;
  readonly behind?: number;
}

const madeLinked = ({ without = [], more = [], room = 64, behind = 0 }: Made = {}): Buffer => {
  const symbols = SYMBOLS.filter(([name]) => !without.includes(name));
  const strings = new Bytes();
  strings.add(u8(0));
  const rows = symbols.map(([name, type, description, address]) =>
    Buffer.concat([u32(strings.add(Buffer.from(`${name}\0`))), u8(type, 1), u16(description), u64(address)]),
  );
  const segment = (name: string, address: number, at: number, bytes: number, sections: readonly Buffer[]): Buffer =>
    Buffer.concat([
      u32(0x19, 72 + 80 * sections.length),
      Buffer.from(name.padEnd(16, '\0')),
      u64(address, bytes, at, bytes),
      u32(5, 5, sections.length, 0),
      ...sections,
    ]);
  const section = (at: number): Buffer =>
    Buffer.concat([
      Buffer.from('__text'.padEnd(16, '\0') + '__TEXT'.padEnd(16, '\0')),
      u64(at, 64),
      u32(at, ...Array(7).fill(0)),
    ]);
  const library = Buffer.concat([
    u32(0xc, 56, 24, 2, 0, 0),
    Buffer.from('/usr/lib/libSystem.B.dylib'.padEnd(32, '\0')),
  ]);
  const has = (command: string): boolean => !without.includes(command);
  const lay = (headers: number): [commands: Buffer, end: Buffer] => {
    const codeEnd = headers + room + 64;
    const end = new Bytes(codeEnd);
    const part = (bytes: Buffer): [number, number] => {
      const at = end.add(bytes);
      end.pad(8);
      return [at, bytes.length];
    };
    const info = [PARTS.rebase, PARTS.bind, PARTS.weak, PARTS.lazy, PARTS.exports].flatMap((one) =>
      part(Buffer.from(one)),
    );
    const data = part(Buffer.from(PARTS.data));
    const [symbolsAt] = part(Buffer.concat(rows));
    const [indirectAt] = part(u32(...INDIRECT));
    const stringsAt = part(strings.all);
    const all = [
      segment('__TEXT', 0, 0, codeEnd, [section(headers + room)]),
      ...(has('__LINKEDIT') ? [segment('__LINKEDIT', ADDRESS_OF_END, codeEnd, end.length - codeEnd, [])] : []),
      ...(has('info') ? [u32(0x80000022, 48, ...info)] : []),
      ...(has('symbols') ? [u32(2, 24, symbolsAt, rows.length, ...stringsAt)] : []),
      ...(has('dynamic')
        ? [u32(0xb, 80, 0, 4, 4, 2, 6, 2, 0, 0, 0, 0, 0, 0, indirectAt, INDIRECT.length, 0, 0, 0, 0)]
        : []),
      u32(0x29, 16, ...data),
      u32(0x2a, 16, 0, 0),
      u32(0x32, 24, 1, 0xb0000, 0, 0),
      library,
      ...more,
    ];
    const bytes = Buffer.concat(all);
    return [Buffer.concat([u32(0xfeedfacf, 0x0100000c, 0, 6, all.length, bytes.length, 0x918085, 0), bytes]), end.all];
  };
  const [{ length }] = lay(0);
  const [commands, end] = lay(length);
  return Buffer.concat([commands, Buffer.alloc(room), Buffer.alloc(64, 'code'), end, Buffer.alloc(behind)]);
};

const finish = (bytes: Uint8Array): Buffer => finishMachO(bytes, { exported: ENTRIES, identifier: 'made' });
const complaints = (bytes: Uint8Array): string[] =>
  checkFile(machine('darwin-arm64'), bytes, { folders: [] }).complaints;
/** Place of a load command of this kind. */
const command = (file: Buffer, kind: number): number => {
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left -= 1) {
    if (file.readUInt32LE(at) === kind) return at;
    at += file.readUInt32LE(at + 4);
  }
  return -1;
};
const words = (file: Buffer, at: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => file.readUInt32LE(at + 4 * i));

t.test('exports what Node looks for alone, and is signed', async (test) => {
  const [before, after] = [readMachO(madeLinked()), readMachO(finish(madeLinked()))];
  test.match(complaints(madeLinked()).join('\n'), /exports _Znwm; [\s\S]*has no code signature/);
  test.strictSame(complaints(finish(madeLinked())), []);
  test.strictSame(after.exported.toSorted(), ENTRIES.map((name) => `_${name}`).toSorted());
  test.equal(after.localSymbols, 0);
  test.strictSame(after.wanted, before.wanted);
  test.strictSame(after.signature, { identifier: 'made', adHoc: true, byLinker: true, wrong: [] });
});

t.test('what the loader needs stays as it was', async (test) => {
  const file = finish(madeLinked());
  const info = command(file, 0x80000022);
  for (const [offset, part] of [
    [8, PARTS.rebase],
    [16, PARTS.bind],
    [32, PARTS.lazy],
  ] as const) {
    const [at, length] = words(file, info + offset, 2) as [number, number];
    test.equal(file.toString('latin1', at, at + length), part);
  }
  test.strictSame(words(file, info + 24, 2), [0, 0], 'no weak symbol is looked for elsewhere');
  const [data, bytes] = words(file, command(file, 0x29) + 8, 2) as [number, number];
  test.equal(file.toString('latin1', data, data + bytes), PARTS.data);

  const dynamic = command(file, 0xb);
  test.strictSame(words(file, dynamic + 8, 6), [0, 0, 0, 2, 2, 2]);
  const [indirect, count] = words(file, dynamic + 56, 2) as [number, number];
  test.strictSame(words(file, indirect, count), [2, 3, WITHIN, WITHIN, ABSOLUTE, WITHIN]);
  test.equal(file.readUInt32LE(24), 0x900085, 'no weak symbols');
  test.equal(command(file, 0x2a), -1);
  const link = command(file, 0x19) + file.readUInt32LE(command(file, 0x19) + 4);
  const [size, address, at, length] = [32, 24, 40, 48].map((offset) => Number(file.readBigUInt64LE(link + offset)));
  test.strictSame([at! + length!, address, size! % 0x4000], [file.length, ADDRESS_OF_END, 0]);
  test.ok(size! >= length!);
  const code = madeLinked().indexOf('codecode');
  test.strictSame(file.subarray(code, code + 64), Buffer.alloc(64, 'code'));
});

t.test('addresses of what is exported are those of its symbols', async (test) => {
  const file = finish(madeLinked());
  const [at] = words(file, command(file, 0x80000022) + 40, 2) as [number];
  const edges = ENTRIES.toSorted().map((name) => file.indexOf(`_${name}\0`, at) + name.length + 2);
  const leaves = edges.map((edge) => at + (file[edge]! & 0x7f) + (file[edge + 1]! & 0x7f) * 128);
  test.strictSame(
    leaves.map((leaf) => [...file.subarray(leaf, leaf + 1 + file[leaf]!)]),
    [
      [4, 0, 0xc5, 0xc6, 0x04],
      [3, 0, 0xc0, 0x20],
    ],
  );
});

t.test('what is finished stays as it is', async (test) => {
  const once = finish(madeLinked());
  test.strictSame(finish(once), once);
  test.strictSame(finish(madeLinked({ room: 0 })).length > 0, true, 'takes the room of a command that says nothing');
});

t.test('refuses what it does not know', async (test) => {
  const refuses = (made: Made, message: RegExp): void => {
    test.throws(() => finish(madeLinked(made)), message);
  };
  refuses({ without: ['_napi_register_module_v1'] }, /no symbol _napi_register_module_v1 to export/);
  for (const [part, message] of [
    ['__LINKEDIT', /it has no __LINKEDIT/],
    ['info', /it has no list of pointers/],
    ['symbols', /it has no symbols/],
    ['dynamic', /it has no table of symbols for the loader/],
  ] as const)
    refuses({ without: [part] }, message);
  refuses({ behind: 8 }, /__LINKEDIT is not its end/);
  refuses({ more: [u32(0x80000034, 16, 0, 0)] }, /its linker is another/);
  const whole = madeLinked();
  const failure = (bytes: Uint8Array): unknown => {
    try {
      return finish(bytes);
    } catch (error) {
      return error;
    }
  };
  for (let length = 0; length < whole.length; length += 7)
    test.ok(failure(whole.subarray(0, length)) instanceof DamagedFile, `${length} bytes of ${whole.length}`);
  const full = Buffer.from(madeLinked({ room: 0 }));
  full.writeUInt32LE(0x99, command(full, 0x2a)); // a command that stays
  test.throws(() => finish(full), /no room for the load command/);
});
