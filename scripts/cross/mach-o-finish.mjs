// Finishes a library for macOS that the cross compiler linked: its linker leaves in all symbols of the sources, exports
// those of the C++ library, and signs files for ARM64 alone. What goes is at the end of the file, so nothing else moves.
// source: Apple's <mach-o/loader.h>, <mach-o/nlist.h>
import { adHocSignature } from './code-signature.mjs';
import { COMMAND, commandsOf, HEADER_BYTES, SYMBOL_BYTES, TYPE } from './mach-o.mjs';
import { DamagedFile, Reader } from './reader.mjs';

const AT = { count: 16, commandBytes: 20, flags: 24 }; // of the header
const HAS_WEAK_SYMBOLS = 0x8000;
const SHARES_WEAK_SYMBOLS = 0x10000;
const LINK_SEGMENT = '__LINKEDIT';
const PAGE = 0x4000; // of ARM64; x86-64 has smaller ones
const NO_SYMBOL = 0xc0000000; // of an indirect row: that of a symbol within the file, of an absolute one
const WITHIN_FILE = 0x80000000;
/** Parts of LINK_SEGMENT that stay as they are: command, and where in it a place and a length are. */
const KEPT = [
  [COMMAND.dyldInfo, 8], // pointers to move
  [COMMAND.dyldInfo, 16], // pointers to fill
  [COMMAND.dyldInfo, 32], // those to fill when first called
  [COMMAND.functionStarts, 8],
  [COMMAND.dataInCode, 8],
];
// trap: pointers to weak symbols are among those to move as well, and keep the file's own function where nobody shares it
const WEAK_POINTERS = 24;
const EXPORTS = 40;
/** What says nothing, or is written anew. */
const DROPPED = [COMMAND.sourceVersion, COMMAND.signature];
const UNKNOWN = [COMMAND.exports, COMMAND.chainedFixups]; // of newer linkers, in place of dyldInfo

const padded = (/** @type {Buffer} */ bytes, /** @type {number} */ multiple) =>
  Buffer.concat([bytes, Buffer.alloc((multiple - (bytes.length % multiple)) % multiple)]);
const u32 = (/** @type {number[]} */ ...values) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
};

/** @param {number} value @param {number} [least] bytes */
function variable(value, least = 1) {
  const bytes = [];
  for (let rest = value; rest > 0 || bytes.length < least; rest = Math.floor(rest / 128)) bytes.push(rest % 128);
  return Buffer.from(bytes.map((byte, i) => (i + 1 < bytes.length ? byte | 0x80 : byte)));
}

/** A tree of exports: edges from its root to each name whole. @param {readonly { name: string, address: number }[]} symbols */
function treeOf(symbols) {
  const leaves = symbols.map(({ address }) => {
    const place = Buffer.concat([variable(0), variable(address)]); // flags: a symbol like others
    return Buffer.concat([variable(place.length), place, Buffer.from([0])]);
  });
  const PLACE = 3; // bytes of an edge's number
  let at = 2 + symbols.reduce((sum, { name }) => sum + name.length + 1 + PLACE, 0);
  const edges = symbols.map(({ name }, i) => {
    const edge = Buffer.concat([Buffer.from(`${name}\0`), variable(at, PLACE)]);
    at += leaves[i].length;
    return edge;
  });
  return Buffer.concat([Buffer.from([0, symbols.length]), ...edges, ...leaves]);
}

/**
 * Symbols that stay: exported ones by name, then those that others have.
 * @param {Reader} file @param {number} at of the command @param {readonly string[]} kept
 */
function symbolsOf(file, at, kept) {
  const [symbols, count, strings, stringBytes] = [8, 12, 16, 20].map((offset) => file.u32(at + offset));
  file.place(strings, stringBytes, 'the names of symbols');
  const all = file.rows(symbols, count, SYMBOL_BYTES, 'the symbols').map((row, index) => {
    const [type, name] = [file.u8(row + 4), () => file.text(strings + file.u32(row), strings + stringBytes)];
    const isExternal = (type & TYPE.debug) === 0 && (type & TYPE.external) !== 0 && (type & TYPE.private) === 0;
    const bytes = file.part(row, SYMBOL_BYTES, 'a symbol');
    return { index, bytes, address: file.u64(row + 8), isExternal, isWanted: (type & TYPE.kind) === 0, name };
  });
  const external = all.filter(({ isExternal }) => isExternal).map((row) => ({ ...row, name: row.name() }));
  const exported = kept.toSorted().map((name) => {
    const found = external.find((row) => !row.isWanted && row.name === name);
    if (found) return found;
    throw new DamagedFile(`it has no symbol ${name} to export`);
  });
  return { exported, wanted: external.filter(({ isWanted }) => isWanted) };
}

/** @typedef {{ bytes: Buffer, at?: number }} Part of the file's end */

/**
 * @param {Uint8Array} bytes
 * @param {{ exported: readonly string[], identifier: string }} wanted exported: names as C says them
 * @returns {Buffer} exports those alone, has no symbols but what it exports and imports, and an ad-hoc signature
 */
export function finishMachO(bytes, { exported: names, identifier }) {
  const file = new Reader(Buffer.from(bytes));
  const commands = commandsOf(file);
  const find = (/** @type {number} */ kind) => commands.find(({ command }) => command === kind);
  const demand = (/** @type {number} */ kind, /** @type {string} */ what) => {
    const found = find(kind);
    if (found) return found.at;
    throw new DamagedFile(`it has no ${what}`);
  };
  if (UNKNOWN.some(find)) throw new DamagedFile('its linker is another than the one that is known here');
  const segments = commands.filter(({ command }) => command === COMMAND.segment);
  const link = segments.find(({ at }) => file.text(at + 8) === LINK_SEGMENT)?.at;
  if (link === undefined) throw new DamagedFile(`it has no ${LINK_SEGMENT}`);
  const start = file.u64(link + 40);
  if (start + file.u64(link + 48) !== file.size) throw new DamagedFile(`${LINK_SEGMENT} is not its end`);
  const [info, table, dynamic] = [
    demand(COMMAND.dyldInfo, 'list of pointers'),
    demand(COMMAND.symbols, 'symbols'),
    demand(COMMAND.dynamicSymbols, 'table of symbols for the loader'),
  ];
  const symbols = symbolsOf(
    file,
    table,
    names.map((name) => `_${name}`),
  );
  const rows = [...symbols.exported, ...symbols.wanted];

  // the new end, in the order of the old one
  const out = [file.bytes.subarray(0, start)];
  let length = start;
  const add = (/** @type {Buffer} */ part, multiple = 8) => {
    const at = length;
    out.push(padded(part, multiple));
    length += out.at(-1)?.length ?? 0;
    return at;
  };
  const told = (/** @type {number} */ place, /** @type {number} */ at, /** @type {number} */ count) =>
    file.bytes.set(u32(count > 0 ? at : 0, count), place);
  for (const [kind, offset] of KEPT) {
    const place = (find(kind)?.at ?? -1) + offset;
    if (!find(kind)) continue;
    const size = file.u32(place + 4);
    told(place, add(file.part(file.u32(place), size, 'a part of the end')), size);
  }
  told(info + WEAK_POINTERS, 0, 0);
  const tree = treeOf(symbols.exported);
  told(info + EXPORTS, add(tree), tree.length);

  const texts = [Buffer.from([0x20, 0])]; // a name is at no place below 1
  let textBytes = 2;
  const written = rows.map(({ name, bytes: row }) => {
    const symbol = Buffer.from(row);
    symbol.writeUInt32LE(textBytes, 0);
    texts.push(Buffer.from(`${name}\0`));
    textBytes += name.length + 1;
    return symbol;
  });
  told(table + 8, add(Buffer.concat(written)), rows.length);
  const [indirect, indirectCount] = [file.u32(dynamic + 56), file.u32(dynamic + 60)];
  const numbers = new Map(rows.map(({ index }, i) => [index, i]));
  const pointers = file.rows(indirect, indirectCount, 4, 'the indirect symbols').map((row) => {
    const number = file.u32(row);
    return (number & NO_SYMBOL) !== 0 ? number : (numbers.get(number) ?? WITHIN_FILE);
  });
  told(dynamic + 56, add(u32(...pointers)), indirectCount);
  const [exportedCount, wantedCount] = [symbols.exported.length, symbols.wanted.length];
  file.bytes.set(u32(0, 0, 0, exportedCount, exportedCount, wantedCount), dynamic + 8);
  const text = padded(Buffer.concat(texts), 16); // a signature begins at a multiple of 16
  add(Buffer.alloc((16 - (length % 16)) % 16), 1);
  told(table + 16, add(text), text.length);

  const code = segments.find(({ at }) => file.text(at + 8) === '__TEXT')?.at ?? link;
  const signer = { identifier, start: file.u64(code + 40), length: file.u64(code + 48) };
  const signatureBytes = adHocSignature(Buffer.alloc(length), signer).length;
  file.bytes.writeBigUInt64LE(BigInt(length - start + signatureBytes), link + 48);
  file.bytes.writeBigUInt64LE(BigInt(Math.ceil((length - start + signatureBytes) / PAGE) * PAGE), link + 32);
  file.bytes.writeUInt32LE(file.u32(AT.flags) & ~(HAS_WEAK_SYMBOLS | SHARES_WEAK_SYMBOLS), AT.flags);
  writeCommands(file, commands, u32(COMMAND.signature, 16, length, signatureBytes));
  const whole = Buffer.concat(out);
  return Buffer.concat([whole, adHocSignature(whole, signer)]);
}

/** Puts the last load command in place of those that are dropped. @param {Reader} file @param {Buffer} last */
function writeCommands(file, commands, last) {
  const kept = commands.filter(({ command }) => !DROPPED.includes(command));
  const all = [...kept.map(({ at, bytes }) => Buffer.from(file.part(at, bytes, 'a load command'))), last];
  const written = Buffer.concat(all);
  const firstSection = Math.min(
    ...commands
      .filter(({ command }) => command === COMMAND.segment)
      .flatMap(({ at }) => file.rows(at + 72, file.u32(at + 64), 80, 'the sections').map((row) => file.u32(row + 48)))
      .filter((place) => place > 0),
    file.size,
  );
  const old = HEADER_BYTES + file.u32(AT.commandBytes);
  if (HEADER_BYTES + written.length > Math.max(firstSection, old))
    throw new DamagedFile('it has no room for the load command of a signature');
  file.bytes.fill(0, HEADER_BYTES, old);
  file.bytes.set(written, HEADER_BYTES);
  file.bytes.writeUInt32LE(all.length, AT.count);
  file.bytes.writeUInt32LE(written.length, AT.commandBytes);
}
