// Addons made byte by byte, as small as they can be, with anything in them that a test wants changed.
import { createHash } from 'node:crypto';

export const ENTRIES: readonly string[] = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

export const u8 = (...values: number[]): Buffer => Buffer.from(values);
export const u16 = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer);
export const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
export const u64 = (...values: number[]): Buffer => Buffer.from(BigUint64Array.from(values.map(BigInt)).buffer);
export const u32BigEndian = (...values: number[]): Buffer => u32(...values).swap32();
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const padded = (bytes: Buffer, multiple: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((multiple - (bytes.length % multiple)) % multiple)]);

/** Bytes that grow, and know where the last addition lies. */
export class Bytes {
  readonly #parts: Buffer[] = [];
  constructor(public length = 0) {}

  add(...bytes: Buffer[]): number {
    const at = this.length;
    this.#parts.push(...bytes);
    this.length += bytes.reduce((sum, { length }) => sum + length, 0);
    return at;
  }

  pad(multiple: number): void {
    this.add(Buffer.alloc((multiple - (this.length % multiple)) % multiple));
  }

  get all(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

// ---- Linux ----

export interface MadeElf {
  machine?: number;
  type?: number;
  needed?: readonly string[];
  runpath?: string;
  /** Names, `name@library@version` where they have one, `~name` where they are weak. */
  wanted?: readonly string[];
  exported?: readonly string[];
  stack?: number | undefined;
  alignment?: number;
  tags?: readonly (readonly [number, number])[];
  gnuHash?: boolean;
  /** Version numbers of symbols have the bit that hides a symbol. */
  hidden?: boolean;
  symbolTable?: boolean;
  filler?: string;
}

/** A shared object. source: System V ABI, gABI chapters 4 and 5 */
export const madeElf = (made: MadeElf = {}): Buffer => {
  const { machine = 62, type = 3, needed = [], wanted = [], exported = ENTRIES, alignment = 65536 } = made;
  const stack = 'stack' in made ? made.stack : 6;
  const strings = new Bytes();
  strings.add(u8(0));
  const named = (name: string): number => strings.add(text(name));
  const asked = wanted.map((word) => {
    const [name, library, version] = word.replace('~', '').split('@') as [string, string?, string?];
    return { name, library, version, binding: word.startsWith('~') ? 2 : 1 };
  });
  const symbols = [
    Buffer.alloc(24),
    ...asked.map(({ name, binding }) => Buffer.concat([u32(named(name)), u8(binding << 4, 0), u16(0), u64(0, 0)])),
    ...exported.map((name) => Buffer.concat([u32(named(name)), u8(0x12, 0), u16(1), u64(64, 8)])),
  ];
  const versioned = asked.filter(({ version }) => version);
  const needs = versioned.flatMap(({ library = '', version = '' }, i) => [
    Buffer.concat([u16(1, 1), u32(named(library), 16, i + 1 < versioned.length ? 32 : 0)]),
    Buffer.concat([u32(0), u16(0, i + 2), u32(named(version), 0)]),
  ]);
  const numbers = asked.map((row) => (row.version ? versioned.indexOf(row) + 2 : 1) + (made.hidden ? 0x8000 : 0));
  const tags: (readonly [number, number])[] = needed.map((name) => [1, named(name)]);
  if (made.runpath) tags.push([29, named(made.runpath)]);

  const headers = 64 + 56 * 3;
  const file = new Bytes(headers);
  const first = 1 + asked.length; // symbol that can be found by hash
  const chain = exported.map((_, i) => (i + 1 === exported.length ? 1 : 0));
  const hash = made.gnuHash
    ? file.add(u32(1, first, 1, 0), u64(0), u32(exported.length > 0 ? first : 0, ...chain))
    : file.add(u32(1, symbols.length, 0), Buffer.alloc(4 * symbols.length));
  file.pad(8);
  const symbolsAt = file.add(...symbols);
  const numbersAt = file.add(u16(0, ...numbers, ...exported.map(() => 1)));
  file.pad(8);
  const needsAt = file.add(...needs);
  const stringsAt = file.add(strings.all);
  file.add(text(made.filler ?? 'filler'));
  file.pad(8);
  tags.push([5, stringsAt], [10, strings.length], [6, symbolsAt], [11, 24]);
  tags.push([made.gnuHash ? 0x6ffffef5 : 4, hash]);
  if (needs.length > 0) tags.push([0x6ffffff0, numbersAt], [0x6ffffffe, needsAt], [0x6fffffff, versioned.length]);
  tags.push(...(made.tags ?? []), [0, 0]);
  const table = Buffer.concat(tags.map((row) => u64(...row)));
  const tableAt = file.add(table);
  const names = Buffer.from('\0.symtab\0.names\0');
  const namesAt = file.add(padded(names, 8));
  const sectionsAt = file.add(
    Buffer.alloc(64),
    Buffer.concat([u32(1, made.symbolTable ? 2 : 1), u64(0, 0, 0, 0), u32(0, 0), u64(0, 0)]),
    Buffer.concat([u32(9, 3), u64(0, 0, namesAt, names.length), u32(0, 0), u64(0, 0)]),
  );
  const segment = (kind: number, flags: number, at: number, length: number, align: number): Buffer =>
    Buffer.concat([u32(kind, flags), u64(at, at, at, length, length, align)]);
  return Buffer.concat([
    u8(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0),
    Buffer.alloc(8),
    Buffer.concat([u16(type, machine), u32(1), u64(0, 64, sectionsAt), u32(0), u16(64, 56, 3, 64, 3, 2)]),
    segment(1, 5, 0, file.length, alignment),
    segment(2, 6, tableAt, table.length, 8),
    segment(stack === undefined ? 0 : 0x6474e551, stack ?? 0, 0, 0, 16),
    file.all,
  ]);
};

// ---- macOS ----

export interface MadeSignature {
  flags?: number;
  identifier?: string;
  pageBits?: number;
  limit?: number;
  hashType?: number;
  /** Page hashes that are left out at the end. */
  without?: number;
  /** A further part, and what its hash is made of. */
  requirements?: readonly [part: string, hashed: string];
}

export interface MadeMachO {
  processor?: number;
  type?: number;
  flags?: number;
  macos?: readonly [major: number, minor: number] | undefined;
  /** 1 is macOS. */
  platform?: number;
  /** Says it by the command that came before. */
  oldCommand?: boolean;
  libraries?: readonly string[];
  searched?: readonly string[];
  /** Names; the number is that of a library from 1, 254 is any. */
  wanted?: readonly (readonly [name: string, library: number, weak?: boolean])[];
  exported?: readonly string[];
  inTree?: readonly string[];
  /** In place of the tree of those. */
  treeBytes?: Buffer;
  signature?: MadeSignature | undefined;
  filler?: string;
}

/** source: Apple's <kern/cs_blobs.h>, a directory of version 0x20400 */
export const madeSignature = (file: Buffer, made: MadeSignature = {}): Buffer => {
  const { flags = 0x20002, identifier = 'made.node', pageBits = 12, limit = file.length, hashType = 2 } = made;
  const page = 2 ** pageBits;
  const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
  const all = Array.from({ length: Math.ceil(file.length / page) }, (_, i) =>
    sha256(file.subarray(i * page, (i + 1) * page)),
  );
  const hashes = all.slice(0, all.length - (made.without ?? 0));
  const partOf = (bytes: string): Buffer =>
    Buffer.concat([u32BigEndian(0xfade0c01, 8 + bytes.length), Buffer.from(bytes)]);
  const parts = made.requirements ? [partOf(made.requirements[0])] : [];
  const specials = made.requirements ? [sha256(partOf(made.requirements[1])), Buffer.alloc(32)] : [];
  const name = text(identifier);
  const first = 88 + name.length + 32 * specials.length;
  const length = first + 32 * hashes.length;
  const directory = Buffer.concat([
    u32BigEndian(0xfade0c02, length, 0x20400, flags, first, 88, specials.length, hashes.length, limit),
    u8(32, hashType, 0, pageBits),
    Buffer.alloc(48),
    name,
    ...specials,
    ...hashes,
  ]);
  const start = 20 + 8 * parts.length;
  const index = [0, start, ...parts.flatMap(() => [2, start + length])];
  const whole = start + length + parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([u32BigEndian(0xfade0cc0, whole, 1 + parts.length, ...index), directory, ...parts]);
};

/** A tree of exports of one level. source: Apple's <mach-o/loader.h>, LC_DYLD_EXPORTS_TRIE */
const tree = (names: readonly string[]): Buffer => {
  if (names.length === 0) return Buffer.alloc(0);
  const places = 2 + names.reduce((sum, name) => sum + name.length + 3, 0);
  const placeOf = (i: number): number => places + i * 4;
  const edges = names.map((name, i) => Buffer.concat([text(name), u8(0x80 | (placeOf(i) & 0x7f), placeOf(i) >> 7)]));
  return padded(Buffer.concat([u8(0, names.length), ...edges, ...names.map(() => u8(2, 0, 1, 0))]), 8);
};

/** A library. source: Apple's <mach-o/loader.h>, <mach-o/nlist.h> */
export const madeMachO = (made: MadeMachO = {}): Buffer => {
  const { processor = 0x0100000c, type = 6, flags = 0x85, libraries = ['/usr/lib/libSystem.B.dylib'] } = made;
  const { wanted = [], exported = ENTRIES.map((name) => `_${name}`), inTree = exported, searched = [] } = made;
  const macos = 'macos' in made ? made.macos : ([11, 0] as const);
  const signature = 'signature' in made ? made.signature : {};
  const names = new Bytes();
  names.add(u8(0));
  const symbols = [
    Buffer.concat([u32(names.add(text('_local'))), u8(0xe, 1), u16(0), u64(64)]),
    ...exported.map((name) => Buffer.concat([u32(names.add(text(name))), u8(0xf, 1), u16(0), u64(64)])),
    ...wanted.map(([name, library, weak]) =>
      Buffer.concat([u32(names.add(text(name))), u8(1, 0), u16((library << 8) | (weak ? 0x40 : 0)), u64(0)]),
    ),
  ];
  const exports = made.treeBytes ?? tree(inTree);
  const named = (command: number, head: Buffer, name: string): Buffer => {
    const body = padded(Buffer.concat([head, text(name)]), 8);
    return Buffer.concat([u32(command, 8 + body.length), body]);
  };
  const version = macos && macos[0] * 65536 + macos[1] * 256;
  const commands = (at: { names: number; symbols: number; exports: number; end: number; signature: number }) => {
    const rows = [
      Buffer.concat([u32(0x19, 72), Buffer.alloc(16), u64(0, at.end, 0, at.end), u32(5, 5, 0, 0)]),
      ...libraries.map((name) => named(0xc, u32(24, 2, 0, 0), name)),
      ...searched.map((name) => named(0x8000001c, u32(12), name)),
      u32(2, 24, at.symbols, symbols.length, at.names, names.length),
      u32(0x80000033, 16, at.exports, exports.length),
      ...(version === undefined
        ? []
        : [made.oldCommand ? u32(0x24, 16, version, 0) : u32(0x32, 24, made.platform ?? 1, version, 0, 0)]),
      ...(signature ? [u32(0x1d, 16, at.end - at.signature, at.signature)] : []),
    ];
    const all = Buffer.concat(rows);
    return Buffer.concat([u32(0xfeedfacf, processor, 0, type, rows.length, all.length, flags, 0), all]);
  };
  const file = new Bytes(commands({ names: 0, symbols: 0, exports: 0, end: 0, signature: 0 }).length);
  file.add(Buffer.alloc(10_000, made.filler ?? 'filler '));
  file.pad(8);
  const symbolsAt = file.add(...symbols);
  const exportsAt = file.add(exports);
  const namesAt = file.add(names.all);
  file.pad(16);
  // as long as the real one, whose hashes need the commands first
  const signed = signature ? madeSignature(Buffer.alloc(file.length), signature).length : 0;
  const at = { names: namesAt, symbols: symbolsAt, exports: exportsAt, end: file.length + signed, signature: signed };
  const whole = Buffer.concat([commands(at), file.all]);
  return signature ? Buffer.concat([whole, madeSignature(whole, signature)]) : whole;
};

// ---- Windows ----

export interface MadePe {
  machine?: number;
  characteristics?: number;
  timestamp?: number;
  repeatable?: boolean;
  windows?: readonly [major: number, minor: number];
  imports?: Readonly<Record<string, readonly (string | number)[]>>;
  delayed?: Readonly<Record<string, readonly string[]>>;
  exported?: readonly string[];
  /** Functions that are exported by number alone. */
  unnamed?: number;
  /** Imports have no table of names beside the one that the loader overwrites. */
  oneTable?: boolean;
  /** Every library's list is that of the first. */
  oneList?: boolean;
  filler?: string;
}

const RVA = 0x1000;
const PLACE = 0x400;

/** A DLL with one section. source: Microsoft, PE Format */
export const madePe = (made: MadePe = {}): Buffer => {
  const { machine = 0x8664, characteristics = 0x2022, timestamp = 0x12345678, repeatable = true } = made;
  const { imports = { 'KERNEL32.dll': ['Sleep'] }, delayed = {}, exported = ENTRIES, windows = [6, 0] } = made;
  const section = new Bytes(RVA);
  section.add(text(made.filler ?? 'filler'));
  const list = (symbols: readonly (string | number)[]): number => {
    const rows = symbols.map((symbol) =>
      typeof symbol === 'number' ? u32(symbol, 0x80000000) : u32(section.add(u16(0), text(symbol)), 0),
    );
    return section.add(...rows, u64(0));
  };
  const rowsOf = (
    libraries: Readonly<Record<string, readonly (string | number)[]>>,
    row: (names: number, name: number) => Buffer,
  ): Buffer[] => {
    let last: number | undefined;
    return Object.entries(libraries).map(([library, symbols]) => {
      last = (made.oneList ? last : undefined) ?? list(symbols);
      return row(last, section.add(text(library)));
    });
  };
  const imported = rowsOf(imports, (names, name) => u32(made.oneTable ? 0 : names, 0, 0, name, names));
  const later = rowsOf(delayed, (names, name) => u32(1, name, 0, names, names, 0, 0, 0));
  const importsAt = section.add(...imported, Buffer.alloc(20));
  const delayedAt = section.add(...later, Buffer.alloc(32));
  const names = section.add(u32(...exported.map((name) => section.add(text(name)))));
  const exportsAt = section.add(
    u32(0, 0, 0, 0, 1, exported.length + (made.unnamed ?? 0), exported.length, 0, names, 0),
  );
  const debugAt = section.add(u32(0, timestamp, 0, repeatable ? 16 : 2, 0, 0, 0));
  section.pad(512);
  const directories = new Map([
    [0, [exportsAt, 40]],
    [1, [importsAt, 20 * (imported.length + 1)]],
    [6, [debugAt, 28]],
    [13, later.length > 0 ? [delayedAt, 32 * (later.length + 1)] : [0, 0]],
  ]);
  const size = section.length - RVA;
  const headers = Buffer.concat([
    Buffer.concat([Buffer.from('MZ'), Buffer.alloc(58), u32(64)]),
    Buffer.concat([u32(0x4550), u16(machine, 1), u32(timestamp, 0, 0), u16(240, characteristics)]),
    Buffer.concat([u16(0x20b), Buffer.alloc(46), u16(...windows), Buffer.alloc(56), u32(16)]),
    ...Array.from({ length: 16 }, (_, i) => u32(...(directories.get(i) ?? [0, 0]))),
    Buffer.concat([Buffer.from('.rdata\0\0'), u32(size, RVA, size, PLACE), Buffer.alloc(12), u32(0x40000040)]),
  ]);
  return Buffer.concat([padded(headers, PLACE), section.all]);
};
