// A code signature of macOS: what it says, whether it is that of the file's bytes, and a new one that names nobody. It is
// big-endian throughout.
// source: Apple's <kern/cs_blobs.h>
import { createHash } from 'node:crypto';
import { DamagedFile } from './reader.mjs';

/**
 * @typedef {object} Signature
 * @property {string} identifier
 * @property {boolean} adHoc whether it names nobody: hashes alone
 * @property {boolean} byLinker whether a linker made it, which signing tools may replace
 * @property {string[]} wrong in what it is not the signature of this file
 */

const MAGIC = { superBlob: 0xfade0cc0, codeDirectory: 0xfade0c02 };
const SLOT_DIRECTORY = 0;
const SLOT_SIGNATURE = 0x10000; // slots below it, but the directory's, have a hash in the directory
const FLAG = { adHoc: 0x2, byLinker: 0x20000 };
const WITH_LONG_LIMIT = 0x20300; // of the directory's versions, the first with a limit of 64 bits
const SHA256 = { type: 2, bytes: 32 };

const sha256 = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest();

/**
 * @param {import('./reader.mjs').Reader} file
 * @param {number} at @param {number} bytes the place that the load command names
 * @returns {Signature}
 */
export function readSignature(file, at, bytes) {
  file.place(at, bytes, 'the signature');
  if (file.u32BigEndian(at) !== MAGIC.superBlob) throw new DamagedFile('the signature is none');
  if (file.u32BigEndian(at + 4) > bytes) throw new DamagedFile('the signature is longer than its place');
  const blobs = new Map(
    file.rows(at + 12, file.u32BigEndian(at + 8), 8, 'the parts of the signature').map((row) => {
      const start = at + file.u32BigEndian(row + 4);
      return [file.u32BigEndian(row), { start, bytes: file.u32BigEndian(start + 4) }];
    }),
  );
  const directory = blobs.get(SLOT_DIRECTORY);
  if (!directory || file.u32BigEndian(directory.start) !== MAGIC.codeDirectory)
    throw new DamagedFile('the signature has no code directory');
  const { start } = directory;
  const end = start + file.place(directory.bytes, 0, 'the code directory');
  file.place(start, directory.bytes, 'the code directory');
  const field = (/** @type {number} */ offset) => file.u32BigEndian(start + offset);
  const [version, flags] = [field(8), field(12)];
  const [hashes, identifier, specials, pages] = [start + field(16), start + field(20), field(24), field(28)];
  const [hashBytes, hashType, pageBits] = [file.u8(start + 36), file.u8(start + 37), file.u8(start + 39)];

  const wrong = [];
  if (hashType !== SHA256.type || hashBytes !== SHA256.bytes || pageBits < 12 || pageBits > 16)
    throw new DamagedFile(`the signature has hashes of type ${hashType}, ${hashBytes} bytes, pages of 2^${pageBits}`);
  const long = version >= WITH_LONG_LIMIT ? field(56) * 2 ** 32 + field(60) : 0;
  const limit = long || field(32);
  if (limit !== at) wrong.push(`covers ${limit} bytes of the ${at} before it`);
  if (at + bytes !== file.size) wrong.push(`ends at byte ${at + bytes} of ${file.size}`);

  const pageBytes = 2 ** pageBits;
  const due = Math.ceil(Math.min(limit, file.size) / pageBytes);
  if (pages !== due) wrong.push(`has ${pages} page hashes, ${due} are due`);
  const told = file.rows(hashes, pages, hashBytes, 'the page hashes');
  if (hashes + pages * hashBytes > end) throw new DamagedFile('the page hashes lie outside the code directory');
  const bad = told.slice(0, due).filter((row, i) => {
    const page = file.bytes.subarray(i * pageBytes, Math.min((i + 1) * pageBytes, limit));
    return !sha256(page).equals(file.part(row, hashBytes, 'a hash'));
  });
  if (bad.length > 0) wrong.push(`has other hashes than ${bad.length} of ${due} pages`);
  for (const [slot, blob] of blobs) {
    if (slot === SLOT_DIRECTORY || slot >= SLOT_SIGNATURE) continue;
    const isHashed =
      slot <= specials &&
      sha256(file.part(blob.start, blob.bytes, 'a part of the signature')).equals(
        file.part(hashes - slot * hashBytes, hashBytes, 'a hash'),
      );
    if (!isHashed) wrong.push(`has another hash than its part ${slot}`);
  }
  return {
    identifier: file.text(identifier, end),
    adHoc: (flags & FLAG.adHoc) !== 0,
    byLinker: (flags & FLAG.byLinker) !== 0,
    wrong,
  };
}

const VERSION = 0x20400; // of a directory that says where the code is
const DIRECTORY_BYTES = 88;
const INDEX_BYTES = 20;
const PAGE_BITS = 12;

const u32BigEndian = (/** @type {number[]} */ ...values) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
};

/**
 * The signature that belongs behind these bytes, as a linker makes it.
 * @param {Buffer} bytes of the file up to it
 * @param {{ identifier: string, start: number, length: number }} code the segment of code
 */
export function adHocSignature(bytes, { identifier, start, length }) {
  const page = 2 ** PAGE_BITS;
  const hashes = Array.from({ length: Math.ceil(bytes.length / page) }, (_, i) =>
    sha256(bytes.subarray(i * page, (i + 1) * page)),
  );
  const name = Buffer.from(`${identifier}\0`);
  const first = DIRECTORY_BYTES + name.length;
  const size = first + hashes.length * SHA256.bytes;
  const flags = FLAG.adHoc | FLAG.byLinker;
  return Buffer.concat([
    u32BigEndian(MAGIC.superBlob, INDEX_BYTES + size, 1, SLOT_DIRECTORY, INDEX_BYTES),
    u32BigEndian(MAGIC.codeDirectory, size, VERSION, flags, first, DIRECTORY_BYTES, 0, hashes.length, bytes.length),
    Buffer.from([SHA256.bytes, SHA256.type, 0, PAGE_BITS]),
    u32BigEndian(0, 0, 0, 0, 0, 0), // no team, no scattered pages, no limit of 64 bits
    u32BigEndian(0, start, 0, length, 0, 0),
    name,
    ...hashes,
  ]);
}
