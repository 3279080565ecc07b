import type { MoreFormat } from './limits.js';

const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean =>
  Buffer.from(bytes.subarray(at, at + text.length)).toString('latin1') === text;

interface Format {
  /** For messages: "a GIF". */
  readonly name: string;
  /** `plain`: always taken; another: when it is allowed; undefined: never. */
  readonly format?: 'plain' | MoreFormat;
}

/** What a file is, by its first bytes. */
export const formatOf = (bytes: Uint8Array): Format => {
  const head = Buffer.from(bytes.subarray(0, 512))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  if (startsWith(bytes, '\xff\xd8\xff')) return { name: 'a JPEG', format: 'plain' };
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return { name: 'a PNG', format: 'plain' };
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return { name: 'a WebP', format: 'plain' };
  if (startsWith(bytes, 'GIF8')) return { name: 'a GIF', format: 'gif' };
  if (startsWith(bytes, 'II*\0') || startsWith(bytes, 'MM\0*')) return { name: 'a TIFF', format: 'tiff' };
  if (startsWith(bytes, 'ftypavif', 4) || startsWith(bytes, 'ftypavis', 4)) return { name: 'an AVIF', format: 'avif' };
  if (startsWith(bytes, 'ftyp', 4)) return { name: 'a HEIF or video file' };
  if (startsWith(bytes, 'BM')) return { name: 'a BMP' };
  if (startsWith(bytes, '%PDF')) return { name: 'a PDF' };
  if (startsWith(bytes, 'PK')) return { name: 'a zip archive' };
  if (head.startsWith('<') && /<svg[\s>]/i.test(head)) return { name: 'an SVG', format: 'svg' };
  if (head.startsWith('<')) return { name: 'a web page or XML' };
  if (head.startsWith('version https://git-lfs')) return { name: 'a git-LFS pointer' };
  return { name: /^[\s\x20-\x7e]+$/.test(head) ? 'text' : 'of no known format' };
};
