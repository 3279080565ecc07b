// What a file is by its first bytes: read where an addon did not load, to say why.

/** Bytes that are looked at. */
export const HEAD_BYTES = 4096;

export interface FileKind {
  /** In words, with an article: `an ELF file for arm64`. */
  readonly text: string;
  /** Of a native file: which systems load it. */
  readonly format?: 'ELF' | 'Mach-O' | 'PE';
  /** Of a native file: its architectures, by Node's names. */
  readonly archs: readonly string[];
  /** The least bytes that the file must have, where its header says so. */
  readonly whole?: number;
}

/** Numbers of processors in the headers of the three formats, with Node's names. */
const ELF: ReadonlyMap<number, string> = new Map([
  [3, 'ia32'],
  [8, 'mips'],
  [20, 'ppc'],
  [21, 'ppc64'],
  [22, 's390x'],
  [40, 'arm'],
  [62, 'x64'],
  [183, 'arm64'],
  [243, 'riscv64'],
  [258, 'loong64'],
]);
const MACH_O: ReadonlyMap<number, string> = new Map([
  [7, 'ia32'],
  [12, 'arm'],
  [0x01000007, 'x64'],
  [0x0100000c, 'arm64'],
]);
const PE: ReadonlyMap<number, string> = new Map([
  [0x014c, 'ia32'],
  [0x01c4, 'arm'],
  [0x8664, 'x64'],
  [0xaa64, 'arm64'],
]);

const native = (format: 'ELF' | 'Mach-O' | 'PE', archs: readonly string[], whole?: number): FileKind => ({
  text: `${format === 'ELF' ? 'an' : 'a'} ${format} file for ${archs.join(' and ')}`,
  format,
  archs,
  ...(whole === undefined ? {} : { whole }),
});

const named = (table: ReadonlyMap<number, string>, id: number): string => table.get(id) ?? `processor ${id}`;

const elf = (head: Buffer): FileKind | undefined => {
  if (head.length < 64 || head.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const isLittle = head[5] === 1;
  const u16 = (at: number): number => (isLittle ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const arch = named(ELF, u16(18));
  if (!isLittle || head[4] !== 2) return native('ELF', [arch]); // 32 bits or big-endian: its length does not matter
  // the table of sections stands last: where it begins, and bytes and number of its entries
  return native('ELF', [arch], Number(head.readBigUInt64LE(40)) + u16(58) * u16(60));
};

const machO = (head: Buffer): FileKind | undefined => {
  if (head.length < 8) return undefined;
  const magic = head.readUInt32BE(0);
  if (magic === 0xcffaedfe || magic === 0xcefaedfe) return native('Mach-O', [named(MACH_O, head.readUInt32LE(4))]);
  if (magic !== 0xcafebabe) return undefined;
  const count = head.readUInt32BE(4); // of the files in this one
  if (count === 0 || count > 8 || head.length < 8 + 20 * count) return undefined; // Java's classes begin so too
  const archs = Array.from({ length: count }, (_, i) => named(MACH_O, head.readUInt32BE(8 + 20 * i)));
  return native('Mach-O', archs);
};

const pe = (head: Buffer): FileKind | undefined => {
  if (head.length < 64 || head.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const at = head.readUInt32LE(60);
  if (at + 6 > head.length || head.toString('latin1', at, at + 4) !== 'PE\0\0') return undefined;
  return native('PE', [named(PE, head.readUInt16LE(at + 4))]);
};

/** Texts that stand where a file was not fetched. */
const TEXTS: readonly (readonly [begin: RegExp, what: string])[] = [
  [/^version https:\/\/git-lfs/, ' (a Git LFS pointer)'],
  [/^\s*<(!doctype html|html)/i, ' (an HTML page)'],
  [/^\s*<\?xml/, ' (XML)'],
  [/^\s*\{/, ' (JSON)'],
];

const other = (head: Buffer, size: number): string => {
  if (size === 0) return 'empty';
  const bytes = `${size} byte${size === 1 ? '' : 's'}`;
  if (head.every((byte) => byte === 0)) return `${bytes} of zeros`;
  if (head[0] === 0x1f && head[1] === 0x8b) return `${bytes} of a gzip archive`;
  if (head.toString('latin1', 0, 4) === 'PK\x03\x04') return `${bytes} of a zip archive`;
  if (head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return `${bytes} of unknown data`;
  const text = head.toString('utf8');
  return `${bytes} of text${TEXTS.find(([begin]) => begin.test(text))?.[1] ?? ''}`;
};

/** What a file of `size` bytes is that begins with `head`. */
export const fileKind = (head: Buffer, size: number): FileKind =>
  elf(head) ?? machO(head) ?? pe(head) ?? { text: other(head, size), archs: [] };

/** The format that a platform loads. */
export const formatOf = (platform: string): FileKind['format'] =>
  platform === 'darwin' ? 'Mach-O' : platform === 'win32' ? 'PE' : 'ELF';
