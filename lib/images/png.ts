import { inflateSync } from 'node:zlib';
import { ImageInputError } from '../errors.js';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const MAX_CHUNKS = 10_000;
const MAX_TEXT = 1_048_576; // bytes of one text, unpacked; more is left out

const CRC = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 as PNG has it. source: RFC 2083 appendix 15 */
export const crc32 = (bytes: Uint8Array): number => {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
};

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.equals(bytes.subarray(0, 8));

const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
};

// What Latin-1 text of a PNG may hold: printable characters and line feeds
const LATIN = /^[\n\x20-\x7e\xa1-\xff]*$/;

/** tEXt where Latin-1 is enough and `utf8` is not asked for, else iTXt, not packed. */
const textChunk = (keyword: string, text: string, utf8: boolean): Buffer => {
  if (!utf8 && LATIN.test(text)) return chunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1'));
  // keyword, packed: no, method 0, no language, no translated keyword
  return chunk('iTXt', Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')]));
};

export interface PngText {
  readonly keyword: string;
  readonly text: string;
  /** Write it as UTF-8 even where Latin-1 is enough. */
  readonly utf8?: boolean;
}

/** The PNG with text chunks behind its header; everything else stays as it is. */
export const withTexts = (png: Buffer, texts: readonly PngText[]): Buffer => {
  const end = 8 + 12 + png.readUInt32BE(8); // signature, then the whole IHDR chunk
  const chunks = texts.map(({ keyword, text, utf8 }) => textChunk(keyword, text, utf8 ?? false));
  return Buffer.concat([png.subarray(0, end), ...chunks, png.subarray(end)]);
};

const corrupt = (what: string): never => {
  throw new ImageInputError('IMAGE_CORRUPT', `The PNG is damaged: ${what}`, 'Save or download it again');
};

const unpacked = (data: Uint8Array): Buffer | undefined => {
  try {
    return inflateSync(data, { maxOutputLength: MAX_TEXT });
  } catch {
    return undefined; // damaged, or larger than any text of ours
  }
};

const readText = (type: string, data: Buffer): readonly [string, string] | undefined => {
  const split = data.indexOf(0);
  if (split < 1 || split > 79) return undefined;
  const keyword = data.toString('latin1', 0, split);
  if (type === 'tEXt') return [keyword, data.toString('latin1', split + 1)];
  if (type === 'zTXt') {
    const text = data[split + 1] === 0 ? unpacked(data.subarray(split + 2)) : undefined;
    return text && [keyword, text.toString('latin1')];
  }
  const packed = data[split + 1];
  const language = data.indexOf(0, split + 3);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0) return undefined;
  const rest = data.subarray(translated + 1);
  const bytes = packed === 1 ? unpacked(rest) : rest;
  return bytes && [keyword, bytes.toString('utf8')];
};

/** The texts of a PNG by keyword, the first of each. Chunks that run past the end or have a wrong sum are IMAGE_CORRUPT. */
export const readTexts = (png: Buffer): Map<string, string> => {
  const texts = new Map<string, string>();
  let at = 8;
  for (let count = 0; count < MAX_CHUNKS && at + 12 <= png.length; ++count) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    if (length > png.length - at - 12)
      corrupt(`chunk ${JSON.stringify(type)} has ${length} bytes, ${png.length - at - 12} are left`);
    if (['tEXt', 'zTXt', 'iTXt'].includes(type) && length <= MAX_TEXT) {
      const body = png.subarray(at + 4, at + 8 + length);
      if (crc32(body) !== png.readUInt32BE(at + 8 + length)) corrupt(`the check sum of a ${type} chunk is wrong`);
      const text = readText(type, png.subarray(at + 8, at + 8 + length));
      if (text && !texts.has(text[0])) texts.set(text[0], text[1]);
    }
    if (type === 'IEND') break;
    at += length + 12;
  }
  return texts;
};
