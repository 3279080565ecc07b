// What a shared object of Linux asks of a machine, as the loader would find it: from the segments and the dynamic table.
// source: System V ABI, gABI chapters 4 and 5; symbol versions: LSB Core 10.7
import { DamagedFile, Reader } from './reader.mjs';

/** @typedef {{ name: string, version?: string, weak: boolean }} Wanted a symbol that other libraries must have */
/** @typedef {{ library: string, version: string }} NeededVersion */
/**
 * @typedef {object} Elf
 * @property {string} cpu
 * @property {boolean} shared whether it can be loaded into a process
 * @property {string[]} needed libraries
 * @property {string[]} searched folders that it wants libraries looked for in (RPATH, RUNPATH)
 * @property {NeededVersion[]} versions the loader refuses the file where a library lacks one, whatever symbols use it
 * @property {Wanted[]} wanted
 * @property {string[]} exported
 * @property {boolean} executableStack
 * @property {boolean} textRelocations whether code is rewritten when loaded
 * @property {boolean} packedRelocations whether addresses to be adjusted are listed in the short form (DT_RELR)
 * @property {number} alignment of its segments, bytes: the largest memory page that it can be loaded with
 * @property {boolean} stripped
 */

const CPU = new Map([
  [62, 'x86_64'],
  [183, 'aarch64'],
]);
const SHARED = 3;
const LOAD = 1;
const DYNAMIC = 2;
const GNU_STACK = 0x6474e551;
const EXECUTABLE = 1; // of a segment's flags
const TAG = {
  needed: 1,
  hash: 4,
  strings: 5,
  symbols: 6,
  stringBytes: 10,
  symbolBytes: 11,
  rpath: 15,
  textRelocations: 22,
  runpath: 29,
  flags: 30,
  packedRelocations: 36,
  gnuHash: 0x6ffffef5,
  symbolVersions: 0x6ffffff0,
  versions: 0x6ffffffe,
  versionCount: 0x6fffffff,
};
const FLAG_TEXT_RELOCATIONS = 4;
const SYMBOL_BYTES = 24;

/** @param {Reader} file */
function segmentsOf(file) {
  const [at, size, count] = [file.u64(32), file.u16(54), file.u16(56)];
  if (size !== 56) throw new DamagedFile(`a program header has ${size} bytes, 56 are expected`);
  const segments = file.rows(at, count, size, 'the program headers').map((row) => ({
    type: file.u32(row),
    flags: file.u32(row + 4),
    offset: file.u64(row + 8),
    address: file.u64(row + 16),
    bytes: file.u64(row + 32),
    alignment: file.u64(row + 48),
  }));
  for (const { type, offset, bytes } of segments) if (type === LOAD) file.place(offset, bytes, 'a segment');
  return segments;
}

/** Whether symbol table and debug sections are gone. @param {Reader} file */
function isStripped(file) {
  const [at, size, count, named] = [file.u64(40), file.u16(58), file.u16(60), file.u16(62)];
  if (count === 0) return true;
  if (size !== 64) throw new DamagedFile(`a section header has ${size} bytes, 64 are expected`);
  const rows = file.rows(at, count, size, 'the section headers');
  if (named >= count) throw new DamagedFile(`section ${named} has the names, there are ${count}`);
  const names = file.u64(rows[named] + 24);
  const symbolTable = 2;
  return rows.every(
    (row) => file.u32(row + 4) !== symbolTable && !/^\.z?debug_/.test(file.text(names + file.u32(row))),
  );
}

/** How many symbols there are: no entry of the dynamic table says so, the hash tables do. */
function symbolCount(file, /** @type {number | undefined} */ hash, /** @type {number | undefined} */ gnuHash) {
  if (hash !== undefined) return file.u32(hash + 4);
  if (gnuHash === undefined) throw new DamagedFile('there is no hash table of symbols');
  const [buckets, first, bloom] = [file.u32(gnuHash), file.u32(gnuHash + 4), file.u32(gnuHash + 8)];
  const at = gnuHash + 16 + bloom * 8;
  let last = 0;
  for (const row of file.rows(at, buckets, 4, 'the hash table of symbols')) last = Math.max(last, file.u32(row));
  if (last < first) return first;
  const chains = at + buckets * 4;
  while ((file.u32(chains + (last - first) * 4) & 1) === 0) last += 1; // a read beyond the end stops it
  return last + 1;
}

/** Versions of other libraries' symbols by the number that symbols name them with. */
function versionsOf(
  file,
  /** @type {number} */ at,
  /** @type {number} */ count,
  /** @type {(at: number) => string} */ text,
) {
  const found = new Map();
  let left = file.size / 16; // an entry has 16 bytes; entries that overlap are no table
  for (let library = 0; library < count; library += 1) {
    let entry = at + file.u32(at + 8);
    for (let i = file.u16(at + 2); i > 0; i -= 1) {
      if (--left < 0) throw new DamagedFile('there are more versions than the file has room for');
      found.set(file.u16(entry + 6), { library: text(file.u32(at + 4)), version: text(file.u32(entry + 8)) });
      const next = file.u32(entry + 12);
      if (next === 0) break;
      entry += next;
    }
    const next = file.u32(at + 12);
    if (next === 0) break;
    if (--left < 0) throw new DamagedFile('there are more versions than the file has room for');
    at += next;
  }
  return found;
}

/** @param {Uint8Array} bytes @returns {Elf} */
export function readElf(bytes) {
  const file = new Reader(bytes);
  if (file.u32BigEndian(0) !== 0x7f454c46) throw new DamagedFile('it is no ELF file');
  if (file.u8(4) !== 2 || file.u8(5) !== 1) throw new DamagedFile('it is no 64-bit little-endian ELF file');
  const segments = segmentsOf(file);
  const loaded = segments.filter(({ type }) => type === LOAD);

  /** Place in the file of what lies at an address when loaded. */
  const placeOf = (/** @type {number} */ address, /** @type {number} */ length, /** @type {string} */ what) => {
    const home = loaded.find((row) => address >= row.address && address + length <= row.address + row.bytes);
    if (!home) throw new DamagedFile(`${what} lies at the address ${address}, where nothing is loaded`);
    return home.offset + (address - home.address);
  };

  const table = segments.find(({ type }) => type === DYNAMIC);
  if (!table) throw new DamagedFile('there is no dynamic table');
  /** @type {Map<number, number[]>} */
  const dynamic = new Map();
  for (const row of file.rows(table.offset, Math.floor(table.bytes / 16), 16, 'the dynamic table')) {
    const tag = file.u64(row);
    if (tag === 0) break;
    if (!dynamic.has(tag)) dynamic.set(tag, []);
    dynamic.get(tag)?.push(file.u64(row + 8));
  }
  const only = (/** @type {number} */ tag) => dynamic.get(tag)?.[0];
  const at = (/** @type {number} */ tag, /** @type {string} */ what) => {
    const address = only(tag);
    return address === undefined ? undefined : placeOf(address, 1, what);
  };

  const stringBytes = only(TAG.stringBytes) ?? 0;
  const strings = placeOf(only(TAG.strings) ?? 0, stringBytes, 'the strings');
  const text = (/** @type {number} */ offset) => {
    if (offset >= stringBytes) throw new DamagedFile(`a text lies at ${offset} of ${stringBytes} bytes of strings`);
    return file.text(strings + offset, strings + stringBytes);
  };
  const texts = (/** @type {number} */ tag) => (dynamic.get(tag) ?? []).map(text);

  const needs = at(TAG.versions, 'the versions');
  const versions = needs === undefined ? new Map() : versionsOf(file, needs, only(TAG.versionCount) ?? 0, text);
  const numbers = at(TAG.symbolVersions, 'the versions of symbols');
  const symbols = at(TAG.symbols, 'the symbols');
  if (symbols === undefined || only(TAG.symbolBytes) !== SYMBOL_BYTES) throw new DamagedFile('there are no symbols');
  const count = symbolCount(file, at(TAG.hash, 'a hash table'), at(TAG.gnuHash, 'a hash table'));

  /** @type {Wanted[]} */
  const wanted = [];
  const exported = [];
  for (const [i, row] of file.rows(symbols, count, SYMBOL_BYTES, 'the symbols').entries()) {
    const [binding, visibility] = [file.u8(row + 4) >> 4, file.u8(row + 5) & 3];
    if (i === 0 || binding === 0) continue; // the first is none; local ones concern nobody
    const name = text(file.u32(row));
    const isDefined = file.u16(row + 6) !== 0;
    if (isDefined && (visibility === 0 || visibility === 3)) exported.push(name);
    if (isDefined) continue;
    const version = numbers === undefined ? undefined : versions.get(file.u16(numbers + i * 2) & 0x7fff)?.version;
    wanted.push({ name, version, weak: binding === 2 });
  }
  const stack = segments.find(({ type }) => type === GNU_STACK);
  return {
    cpu: CPU.get(file.u16(18)) ?? `ELF machine ${file.u16(18)}`,
    shared: file.u16(16) === SHARED,
    needed: texts(TAG.needed),
    searched: [...texts(TAG.rpath), ...texts(TAG.runpath)],
    versions: [...versions.values()],
    wanted,
    exported,
    executableStack: stack === undefined || (stack.flags & EXECUTABLE) !== 0, // trap: a file that says nothing gets one
    textRelocations: dynamic.has(TAG.textRelocations) || ((only(TAG.flags) ?? 0) & FLAG_TEXT_RELOCATIONS) !== 0,
    packedRelocations: dynamic.has(TAG.packedRelocations),
    alignment: loaded.reduce((least, { alignment }) => Math.min(least, alignment), Number.POSITIVE_INFINITY),
    stripped: isStripped(file),
  };
}
