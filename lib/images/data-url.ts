import { type CapturedImage, MAX_FILE, refuse } from './source-parts.js';

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
/** How the bytes of JPEG, PNG, WebP, GIF and TIFF files begin in base64. */
const BEGINNINGS = ['/9j/', 'iVBORw0KGgo', 'UklGR', 'R0lGOD', 'SUkqA', 'TU0AK'];
const MAX_TEXT = Math.ceil((MAX_FILE / 3) * 4); // characters of an address
const LONG = 256; // characters; no name in a path is longer

const malformed = (option: string, why: string): never =>
  refuse('IMAGE_FORMAT', option, `the data: address ${why}`, 'Give data:image/png;base64,… or the bytes of the file');

/** The picture that a `data:` address holds: nothing is fetched. Its size is checked before it is decoded. */
export const fromDataUrl = (text: string, option: string): CapturedImage => {
  const comma = text.indexOf(',');
  if (comma < 0) return malformed(option, 'has no comma before its data');
  if (text.length - comma > MAX_TEXT)
    return refuse(
      'IMAGE_TOO_LARGE',
      option,
      `the data: address has ${text.length} characters, at most ${MAX_TEXT} are read`,
      'Save it smaller',
    );
  let data = text.slice(comma + 1);
  if (/%(?![0-9a-f]{2})/i.test(data)) return malformed(option, 'has a percent sign without its two digits');
  data = data.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  if (!/;\s*base64\s*$/i.test(text.slice(0, comma)))
    return { option, kind: 'encoded', bytes: Uint8Array.from(Buffer.from(data, 'latin1')) };
  data = data.replace(/\s+/g, '');
  if (!BASE64.test(data)) return malformed(option, 'holds characters that are not base64');
  return { option, kind: 'encoded', bytes: Uint8Array.from(Buffer.from(data, 'base64')) };
};

/** Whether a text is a picture in base64 rather than a path. */
export const looksLikeBase64 = (text: string): boolean =>
  text.length >= 64 &&
  (text.length >= LONG || BEGINNINGS.some((beginning) => text.startsWith(beginning))) &&
  BASE64.test(text.replace(/\s+/g, ''));
