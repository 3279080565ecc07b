// What a library of macOS asks of a machine. source: Apple's <mach-o/loader.h>, <mach-o/nlist.h>
import { readSignature } from './code-signature.mjs';
import { DamagedFile, Reader } from './reader.mjs';

/** @typedef {{ name: string, library?: string, weak: boolean }} Wanted a symbol; without a library any loaded one has it */
/**
 * @typedef {object} MachO
 * @property {string} cpu
 * @property {boolean} shared whether it can be loaded into a process
 * @property {string[]} libraries that are loaded with it
 * @property {string[]} searched folders that it wants libraries looked for in
 * @property {string | undefined} macos the oldest version that loads it
 * @property {Wanted[]} wanted
 * @property {string[]} exported
 * @property {number} localSymbols that nobody needs
 * @property {import('./code-signature.mjs').Signature | undefined} signature
 */

const CPU = new Map([
  [0x01000007, 'x86_64'],
  [0x0100000c, 'aarch64'],
]);
const SHARED = [6, 8]; // library, bundle
const TWO_LEVEL = 0x80; // flag of the header: every symbol names the library that has it
const MACOS = 1;
export const COMMAND = {
  symbols: 0x2,
  dynamicSymbols: 0xb,
  segment: 0x19,
  signature: 0x1d,
  searched: 0x8000001c,
  dyldInfo: 0x80000022,
  oldestMacos: 0x24,
  functionStarts: 0x26,
  dataInCode: 0x29,
  sourceVersion: 0x2a,
  buildVersion: 0x32,
  exports: 0x80000033,
  chainedFixups: 0x80000034,
};
const LIBRARIES = [0xc, 0x20, 0x80000018, 0x8000001f, 0x80000023]; // plain, lazy, weak, re-exported, upward
const DYLD_INFO = [0x22, COMMAND.dyldInfo];
export const HEADER_BYTES = 32;
export const SYMBOL_BYTES = 16;
export const TYPE = { debug: 0xe0, private: 0x10, kind: 0xe, external: 0x1 };
const WEAK = 0x40;
const MOST_NAME = 4096; // bytes of an export's name

/** A number of variable length (unsigned LEB128) and where it ends. @param {Reader} file @param {number} at */
function variable(file, at) {
  let value = 0;
  for (let shift = 0; shift < 49; shift += 7) {
    const byte = file.u8(at++);
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
  throw new DamagedFile('a number of the exports is too long');
}

/** Names of a tree of exports, whose edges are parts of names. @param {Reader} file @param {number} at @param {number} bytes */
function treeOf(file, at, bytes) {
  file.place(at, bytes, 'the exports');
  const names = [];
  const seen = new Set();
  const waiting = bytes === 0 ? [] : [{ node: at, name: '' }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { node, name } = next;
    if (seen.has(node)) throw new DamagedFile('the exports are no tree');
    seen.add(node);
    const [own, afterSize] = variable(file, node);
    if (own > 0) names.push(name);
    let place = afterSize + own;
    for (let edges = file.u8(place++); edges > 0; edges -= 1) {
      const part = file.text(place, at + bytes);
      const [child, after] = variable(file, place + part.length + 1);
      if (name.length + part.length > MOST_NAME) throw new DamagedFile('an exported name is too long');
      if (child >= bytes) throw new DamagedFile('the exports point outside themselves');
      waiting.push({ node: at + child, name: name + part });
      place = after;
    }
  }
  return names;
}

const versionOf = (/** @type {number} */ number) => {
  const [major, minor, patch] = [number >>> 16, (number >>> 8) & 0xff, number & 0xff];
  return `${major}.${minor}${patch > 0 ? `.${patch}` : ''}`;
};

/** @param {Reader} file @returns {{ command: number, at: number, bytes: number }[]} */
export function commandsOf(file) {
  const [count, bytes] = [file.u32(16), file.u32(20)];
  file.place(HEADER_BYTES, bytes, 'the load commands');
  const commands = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i += 1) {
    const size = file.u32(at + 4);
    if (size < 8 || at + size > HEADER_BYTES + bytes) throw new DamagedFile('a load command ends outside of them');
    commands.push({ command: file.u32(at), at, bytes: size });
    at += size;
  }
  return commands;
}

/** @param {Reader} file @param {number | undefined} at of the command @param {string[]} libraries */
function symbolsOf(file, at, libraries) {
  /** @type {{ wanted: Wanted[], exported: string[], localSymbols: number }} */
  const found = { wanted: [], exported: [], localSymbols: 0 };
  if (at === undefined) return found;
  const [symbols, count, strings, stringBytes] = [8, 12, 16, 20].map((offset) => file.u32(at + offset));
  file.place(strings, stringBytes, 'the names of symbols');
  const hasLibraries = (file.u32(24) & TWO_LEVEL) !== 0;
  for (const row of file.rows(symbols, count, SYMBOL_BYTES, 'the symbols')) {
    const [type, description] = [file.u8(row + 4), file.u16(row + 6)];
    const isLocal = (type & TYPE.debug) !== 0 || (type & TYPE.external) === 0 || (type & TYPE.private) !== 0;
    if (isLocal) found.localSymbols += 1;
    if (isLocal) continue;
    const name = file.text(strings + file.u32(row), strings + stringBytes);
    if ((type & TYPE.kind) !== 0) found.exported.push(name);
    // libraries are counted from 1; 254 and 255 stand for any library and for the program
    else
      found.wanted.push({
        name,
        library: hasLibraries ? libraries[(description >> 8) - 1] : undefined,
        weak: (description & WEAK) !== 0,
      });
  }
  return found;
}

/** @param {Uint8Array} bytes @returns {MachO} */
export function readMachO(bytes) {
  const file = new Reader(bytes);
  const magic = file.u32(0);
  if (magic === 0xbebafeca || magic === 0xbfbafeca) throw new DamagedFile('it holds files of several processors');
  if (magic !== 0xfeedfacf) throw new DamagedFile('it is no 64-bit Mach-O file');
  const commands = commandsOf(file);
  const all = (/** @type {number[]} */ ...kinds) => commands.filter(({ command }) => kinds.includes(command));
  const textOf = (/** @type {{ at: number, bytes: number }} */ row) =>
    file.text(row.at + file.u32(row.at + 8), row.at + row.bytes);
  for (const { at } of all(COMMAND.segment)) file.place(file.u64(at + 40), file.u64(at + 48), 'a segment');

  const libraries = all(...LIBRARIES).map(textOf);
  const symbols = symbolsOf(file, all(COMMAND.symbols)[0]?.at, libraries);
  const trees = [
    ...all(...DYLD_INFO).map(({ at }) => [file.u32(at + 40), file.u32(at + 44)]),
    ...all(COMMAND.exports).map(({ at }) => [file.u32(at + 8), file.u32(at + 12)]),
  ];
  const inTrees = trees.flatMap(([at, size]) => treeOf(file, at, size));
  const oldest = [
    ...all(COMMAND.buildVersion).map(({ at }) => (file.u32(at + 8) === MACOS ? file.u32(at + 12) : undefined)),
    ...all(COMMAND.oldestMacos).map(({ at }) => file.u32(at + 8)),
  ][0];
  const [signed] = all(COMMAND.signature);
  return {
    cpu: CPU.get(file.u32(4)) ?? `Mach-O processor ${file.u32(4)}`,
    shared: SHARED.includes(file.u32(12)),
    libraries,
    searched: all(COMMAND.searched).map(textOf),
    macos: oldest === undefined ? undefined : versionOf(oldest),
    ...symbols,
    exported: [...new Set([...symbols.exported, ...inTrees])],
    signature: signed && readSignature(file, file.u32(signed.at + 8), file.u32(signed.at + 12)),
  };
}
