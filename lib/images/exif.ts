import type { PngText } from './png.js';

// EXIF of JPEG and WebP: the A1111 text in UserComment, where that web UI writes and reads it, and our JSON in
// ImageDescription, escaped to ASCII as that field demands. source: CIPA DC-008 (Exif 2.32), 4.6

const TAGS = { description: 0x010e, exif: 0x8769, comment: 0x9286 } as const;
const [ASCII, LONG, UNDEFINED] = [2, 4, 7];
const UNICODE = Buffer.from('UNICODE\0', 'latin1');
const HEAD = Buffer.from('Exif\0\0', 'latin1');
const MAX_ENTRIES = 1000;
/** The most that a JPEG has room for in one segment. */
export const MAX_EXIF = 65_527;

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly data: Buffer;
}

/** An IFD that stands at `at`, with its values behind it; values of up to four bytes stand in their entry. */
const directory = (entries: readonly Entry[], at: number): Buffer => {
  const head = Buffer.alloc(2 + entries.length * 12 + 4); // no IFD follows
  head.writeUInt16BE(entries.length, 0);
  const values: Buffer[] = [];
  let end = at + head.length;
  for (const [i, { tag, type, data }] of entries.entries()) {
    const place = 2 + i * 12;
    head.writeUInt16BE(tag, place);
    head.writeUInt16BE(type, place + 2);
    head.writeUInt32BE(type === LONG ? data.length / 4 : data.length, place + 4);
    if (data.length <= 4) {
      data.copy(head, place + 8);
      continue;
    }
    head.writeUInt32BE(end, place + 8);
    const even = data.length % 2 === 0 ? data : Buffer.concat([data, Buffer.alloc(1)]); // values begin at even places
    values.push(even);
    end += even.length;
  }
  return Buffer.concat([head, ...values]);
};

/** Every character beyond ASCII as JSON's escape. */
const asciiJson = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** An EXIF block of a text and a JSON text, without the six bytes that a JPEG puts before it. */
export const exifBlock = (text: string, json: string): Buffer => {
  const comment = Buffer.concat([UNICODE, Buffer.from(text, 'utf16le').swap16()]);
  const description = { tag: TAGS.description, type: ASCII, data: Buffer.from(`${asciiJson(json)}\0`, 'latin1') };
  const first = (pointer: number): Buffer => {
    const data = Buffer.alloc(4);
    data.writeUInt32BE(pointer);
    return directory([description, { tag: TAGS.exif, type: LONG, data }], 8);
  };
  const inner = 8 + first(0).length;
  const head = Buffer.from('MM\0\x2a\0\0\0\x08', 'latin1'); // big endian, the first IFD at 8
  return Buffer.concat([head, first(inner), directory([{ tag: TAGS.comment, type: UNDEFINED, data: comment }], inner)]);
};

/** The JPEG with an EXIF block in the segment behind its first marker. */
export const jpegWithExif = (jpeg: Buffer, block: Buffer): Buffer => {
  const segment = Buffer.alloc(4);
  segment.writeUInt16BE(0xffe1, 0);
  segment.writeUInt16BE(2 + HEAD.length + block.length, 2);
  return Buffer.concat([jpeg.subarray(0, 2), segment, HEAD, block, jpeg.subarray(2)]);
};

const riffChunk = (name: string, data: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
};

/** A plain WebP of one picture, in its extended form with an EXIF chunk. source: RFC 9649, 2.7 */
export const webpWithExif = (webp: Buffer, block: Buffer, width: number, height: number): Buffer => {
  const extended = Buffer.alloc(10);
  extended[0] = 0x08; // it has EXIF
  extended.writeUIntLE(width - 1, 4, 3);
  extended.writeUIntLE(height - 1, 7, 3);
  const body = Buffer.concat([
    Buffer.from('WEBP', 'latin1'),
    riffChunk('VP8X', extended),
    webp.subarray(12),
    riffChunk('EXIF', block),
  ]);
  return riffChunk('RIFF', body);
};

class Reader {
  readonly #little: boolean;

  constructor(readonly block: Buffer) {
    this.#little = block.toString('latin1', 0, 2) === 'II';
  }

  u16(at: number): number {
    if (at + 2 > this.block.length) return 0;
    return this.#little ? this.block.readUInt16LE(at) : this.block.readUInt16BE(at);
  }

  u32(at: number): number {
    if (at + 4 > this.block.length) return 0;
    return this.#little ? this.block.readUInt32LE(at) : this.block.readUInt32BE(at);
  }

  /** The place of a tag's entry in the IFD at `at`. */
  entry(at: number, tag: number): number | undefined {
    const count = Math.min(this.u16(at), MAX_ENTRIES);
    for (let i = 0; i < count; ++i) if (this.u16(at + 2 + i * 12) === tag) return at + 2 + i * 12;
    return undefined;
  }

  bytes(entry: number | undefined): Buffer {
    if (entry === undefined) return Buffer.alloc(0);
    const length = this.u32(entry + 4);
    const begin = length <= 4 ? entry + 8 : this.u32(entry + 8);
    return begin + length <= this.block.length ? this.block.subarray(begin, begin + length) : Buffer.alloc(0);
  }
}

/** UserComment in either byte order. trap: writers use UTF-16BE, the block's order, or little endian in any block */
const commentText = (data: Buffer): string => {
  const code = data.toString('latin1', 0, 8);
  const rest = data.subarray(8);
  if (code === 'ASCII\0\0\0') return rest.toString('latin1').replace(/\0+$/, '');
  if (code !== 'UNICODE\0') return '';
  const even = Buffer.from(rest.subarray(0, rest.length - (rest.length % 2)));
  // texts begin with a prompt, of which most characters have the one byte zero
  let [high, low] = [0, 0];
  for (let i = 0; i < even.length; i += 2) {
    if (even[i] === 0) high += 1;
    if (even[i + 1] === 0) low += 1;
  }
  const text = (low > high ? even : even.swap16()).toString('utf16le');
  return text.replace(/^\ufeff/, '').replace(/\0+$/, '');
};

/** The texts of an EXIF block, under the keywords that a PNG has them by; what is damaged is left out. */
export const exifTexts = (exif: Buffer, keywords: { readonly text: string; readonly json: string }): PngText[] => {
  const reader = new Reader(exif.subarray(0, 6).equals(HEAD) ? exif.subarray(6) : exif);
  if (!/^(II\x2a\0|MM\0\x2a)$/.test(reader.block.toString('latin1', 0, 4))) return [];
  const first = reader.u32(4);
  const description = reader.bytes(reader.entry(first, TAGS.description)).toString('latin1').replace(/\0.*$/s, '');
  const pointer = reader.entry(first, TAGS.exif);
  const comment = pointer === undefined ? undefined : reader.entry(reader.u32(pointer + 8), TAGS.comment);
  const texts = [
    { keyword: keywords.text, text: commentText(reader.bytes(comment)) },
    { keyword: keywords.json, text: description.startsWith('{') ? description : '' },
  ];
  return texts.filter(({ text }) => text !== '');
};
