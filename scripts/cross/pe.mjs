// What a DLL of Windows (64 bits) asks of a machine. source: Microsoft, PE Format
import { DamagedFile, Reader } from './reader.mjs';

/** @typedef {{ library: string, symbols: string[] }} Imported */
/**
 * @typedef {object} Pe
 * @property {string} cpu
 * @property {boolean} shared whether it is a DLL
 * @property {Imported[]} imports without which it does not load
 * @property {Imported[]} delayed what is looked for when it is first called
 * @property {string[]} exported
 * @property {number} timestamp seconds since 1970, or a number that stands for the contents
 * @property {boolean} repeatable whether that number is one
 * @property {string} windows the oldest version that loads it, as Windows counts: 6.0 is Vista, 10.0 is 10
 */

const CPU = new Map([
  [0x8664, 'x86_64'],
  [0xaa64, 'aarch64'],
]);
const DLL = 0x2000;
const DIRECTORY = { exports: 0, imports: 1, debug: 6, delayed: 13 };
const REPRO = 16; // type of a debug entry

/** A Reader that knows where things lie when loaded (relative virtual addresses). */
class Image {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    const file = new Reader(bytes);
    this.file = file;
    if (file.u16(0) !== 0x5a4d) throw new DamagedFile('it is no Windows file');
    this.header = file.u32(0x3c);
    if (file.u32(this.header) !== 0x4550) throw new DamagedFile('it is no PE file');
    this.optional = this.header + 24;
    if (file.u16(this.optional) !== 0x20b) throw new DamagedFile('it is no 64-bit PE file');
    const optionalBytes = file.u16(this.header + 20);
    const room = Math.floor((optionalBytes - 112) / 8);
    this.directories = Math.max(0, Math.min(file.u32(this.optional + 108), room));
    const count = file.u16(this.header + 6);
    this.sections = file.rows(this.optional + optionalBytes, count, 40, 'the section headers').map((row) => ({
      address: file.u32(row + 12),
      bytes: file.u32(row + 16),
      offset: file.u32(row + 20),
    }));
    for (const { offset, bytes: length } of this.sections) file.place(offset, length, 'a section');
    this.left = file.size / 4; // rows that lists may have together: a list that holds more overlaps itself
  }

  /** Place in the file. @param {number} address @param {number} length @param {string} what */
  place(address, length, what) {
    const home = this.sections.find((row) => address >= row.address && address + length <= row.address + row.bytes);
    if (!home) throw new DamagedFile(`${what} lies at the address ${address}, where nothing is loaded`);
    return home.offset + (address - home.address);
  }

  /** @param {number} address */
  text(address) {
    return this.file.text(this.place(address, 1, 'a name'));
  }

  /** Where a table lies and how long it is; nothing where the file has none. @param {number} number */
  directory(number) {
    const row = this.optional + 112 + number * 8;
    const address = number < this.directories ? this.file.u32(row) : 0;
    return address === 0 ? undefined : { address, bytes: this.file.u32(row + 4) };
  }

  /** Places of rows up to the first that `isLast` says is none. */
  *list(/** @type {number} */ address, /** @type {number} */ size, /** @type {(at: number) => boolean} */ isLast) {
    for (let next = address; ; next += size) {
      if (--this.left < 0) throw new DamagedFile('there are more imports than the file has room for');
      const at = this.place(next, size, 'a table');
      if (isLast(at)) return;
      yield at;
    }
  }
}

/** What is taken from one library. @param {Image} image @param {number} library @param {number} names their addresses */
function imported(image, library, names) {
  const { file } = image;
  const symbols = [];
  for (const at of image.list(names, 8, (row) => file.u32(row) === 0 && file.u32(row + 4) === 0)) {
    const byNumber = file.u32(at + 4) >= 0x80000000;
    symbols.push(byNumber ? `#${file.u16(at)}` : image.text(file.u32(at) + 2)); // two bytes of a hint come first
  }
  return { library: image.text(library), symbols };
}

/** @param {Image} image @returns {Imported[]} */
function importsOf(image) {
  const { file } = image;
  const table = image.directory(DIRECTORY.imports);
  if (!table) return [];
  return [...image.list(table.address, 20, (at) => file.u32(at + 12) === 0)].map((at) =>
    imported(image, file.u32(at + 12), file.u32(at) || file.u32(at + 16)),
  );
}

/** @param {Image} image @returns {Imported[]} */
function delayedOf(image) {
  const { file } = image;
  const table = image.directory(DIRECTORY.delayed);
  if (!table) return [];
  return [...image.list(table.address, 32, (at) => file.u32(at + 4) === 0)].map((at) =>
    imported(image, file.u32(at + 4), file.u32(at + 16)),
  );
}

/** @param {Image} image */
function exportsOf(image) {
  const { file } = image;
  const table = image.directory(DIRECTORY.exports);
  if (!table) return [];
  const at = image.place(table.address, 40, 'the exports');
  const [functions, count] = [file.u32(at + 20), file.u32(at + 24)];
  const names = count === 0 ? 0 : image.place(file.u32(at + 32), count * 4, 'the names of exports');
  const exported = file.rows(names, count, 4, 'the names of exports').map((row) => image.text(file.u32(row)));
  if (functions > count) exported.push(`${functions - count} functions without a name`);
  return exported;
}

/** Whether the time stamp is a hash of the contents. @param {Image} image */
function isRepeatable(image) {
  const { file } = image;
  const table = image.directory(DIRECTORY.debug);
  if (!table) return false;
  const at = image.place(table.address, table.bytes, 'the debug entries');
  return file
    .rows(at, Math.floor(table.bytes / 28), 28, 'the debug entries')
    .some((row) => file.u32(row + 12) === REPRO);
}

/** @param {Uint8Array} bytes @returns {Pe} */
export function readPe(bytes) {
  const image = new Image(bytes);
  const { file, header, optional } = image;
  const machine = file.u16(header + 4);
  return {
    cpu: CPU.get(machine) ?? `PE machine ${machine}`,
    shared: (file.u16(header + 22) & DLL) !== 0,
    imports: importsOf(image),
    delayed: delayedOf(image),
    exported: exportsOf(image),
    timestamp: file.u32(header + 8),
    repeatable: isRepeatable(image),
    windows: `${file.u16(optional + 48)}.${file.u16(optional + 50)}`,
  };
}
