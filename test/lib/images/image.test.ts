import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import sharp from 'sharp';
import t from 'tap';
import type { IpAdapterError } from '../../../lib/errors.js';
import { decodeImage } from '../../../lib/images/decode.js';
import { imageLimitsOf } from '../../../lib/images/limits.js';
import { captureImage, type ImageSource } from '../../../lib/images/source.js';
import { defaultModel } from '../../../lib/models/default-model.js';
import type { Pixels } from '../../../lib/native/types.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-image-'));
const { references } = defaultModel();
const reference = (name: string): string => references.find((path) => path.endsWith(name))!;
const imageLimits = imageLimitsOf();
const decode = async (source: unknown, limits = imageLimits): Promise<Pixels> =>
  decodeImage(captureImage(source as ImageSource, 'image'), limits);
const code = (source: unknown, limits = imageLimits): Promise<string> =>
  decode(source, limits).then(
    () => 'nothing',
    (e: IpAdapterError) => e.code,
  );

const width = 24;
const height = 16;
const colours = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256);
const png = (): Promise<Buffer> =>
  sharp(colours, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

t.test('every kind of source gives the same pixels', async (test) => {
  const bytes = await png();
  const path = join(folder, 'plain.png');
  writeFileSync(path, bytes);
  const sources = [
    path,
    pathToFileURL(path),
    pathToFileURL(path).href,
    bytes,
    new Uint8Array(bytes),
    new Uint8Array(bytes).buffer,
    new Blob([new Uint8Array(bytes)]),
    sharp(bytes),
    { data: colours, width, height, channels: 3 },
    { data: new Uint8ClampedArray(colours), width, height, channels: 3 },
    // of another realm, as test files of Jest have one
    runInNewContext('Uint8Array.from(bytes)', { bytes }),
    runInNewContext('Uint8Array.from(bytes).buffer', { bytes }),
    runInNewContext('({ data: Uint8ClampedArray.from(colours), width, height, channels: 3 })', {
      colours,
      width,
      height,
    }),
  ];
  for (const [i, source] of sources.entries()) {
    const pixels = await decode(source);
    test.equal(pixels.width, width);
    test.ok(Buffer.from(pixels.data).equals(Buffer.from(colours)), `source ${i}`);
  }
});

t.test('I-05: EXIF turns are applied', async (test) => {
  const turned = await decode(reference('turned.jpg'));
  const plain = await decode(reference('person-1-1.png'));
  test.same([turned.width, turned.height], [plain.width, plain.height]);
  const mean = turned.data.reduce((sum, v, i) => sum + Math.abs(v - plain.data[i]!), 0) / plain.data.length;
  test.ok(mean < 6, `mean difference of the JPEG ${mean}`);
  const upright = await decode(await png());
  for (let orientation = 1; orientation <= 8; ++orientation) {
    const bytes = await sharp(await png())
      .withMetadata({ orientation })
      .png()
      .toBuffer();
    const pixels = await decode(bytes);
    const swapped = orientation >= 5;
    test.same([pixels.width, pixels.height], swapped ? [height, width] : [width, height], `orientation ${orientation}`);
    if (orientation === 1) test.same(pixels.data, upright.data);
    else test.notSame(pixels.data, upright.data);
  }
});

t.test('I-06: alpha, grey, 16 bit and CMYK come to the normal form', async (test) => {
  const flat = { r: 200, g: 100, b: 50 };
  const clear = await decode(
    await sharp({ create: { width, height, channels: 4, background: { ...flat, alpha: 0 } } })
      .png()
      .toBuffer(),
  );
  test.ok(
    clear.data.every((v) => v === 255),
    'transparent is the background, white',
  );
  const opaque = await decode(
    await sharp({ create: { width, height, channels: 4, background: { ...flat, alpha: 1 } } })
      .png()
      .toBuffer(),
  );
  const plain = await decode(
    await sharp({ create: { width, height, channels: 3, background: flat } })
      .png()
      .toBuffer(),
  );
  test.same(opaque.data, plain.data, 'opaque alpha equals the plain twin');
  const black = await decode(
    { data: new Uint8Array(width * height * 4), width, height, channels: 4 },
    { ...imageLimits, background: '#0000ff' },
  );
  test.same([...black.data.subarray(0, 3)], [0, 0, 255], 'raw alpha over the background given');
  const grey = await decode({ data: new Uint8Array(width * height).fill(77), width, height, channels: 1 });
  test.ok(grey.data.every((v) => v === 77) && grey.data.length === width * height * 3);
  const deep = await decode(
    await sharp(colours, { raw: { width, height, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer(),
  );
  const worst = deep.data.reduce((most, v, i) => Math.max(most, Math.abs(v - colours[i]!)), 0);
  test.ok(worst <= 1, `16 bit: ${worst}`);
  const cmyk = await decode(
    await sharp(colours, { raw: { width, height, channels: 3 } })
      .toColourspace('cmyk')
      .jpeg()
      .toBuffer(),
  );
  test.equal(cmyk.data.length, colours.length);
  const jpeg = await decode(
    await sharp(colours, { raw: { width, height, channels: 3 } })
      .webp({ lossless: true })
      .toBuffer(),
  );
  test.same(jpeg.data, colours, 'lossless WebP');
});

t.test('GIF, TIFF, AVIF and SVG are taken where images.formats allows them', async (test) => {
  const picture = sharp({ create: { width: 32, height: 24, channels: 3, background: '#3060c0' } });
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="24"><rect width="32" height="24" fill="#3060c0"/></svg>';
  const files: [format: 'gif' | 'tiff' | 'avif' | 'svg', bytes: Buffer][] = [
    ['gif', await picture.clone().gif().toBuffer()],
    ['tiff', await picture.clone().tiff().toBuffer()],
    ['avif', await picture.clone().avif().toBuffer()],
    ['svg', Buffer.from(svg)],
  ];
  for (const [format, bytes] of files) {
    const refused = await decode(bytes).then(
      () => undefined,
      (e: IpAdapterError) => e,
    );
    test.match(refused, { code: 'IMAGE_FORMAT', hint: `or allow it with images.formats: ['${format}']` }, format);
    const others = files.map(([name]) => name).filter((name) => name !== format);
    test.equal(await code(bytes, { ...imageLimits, formats: others }), 'IMAGE_FORMAT', `${format} among others`);
    const { width, height, data } = await decode(bytes, { ...imageLimits, formats: [format] });
    test.same([width, height], [32, 24], format);
    const [r, g, b] = data;
    test.ok(Math.abs(r! - 0x30) < 6 && Math.abs(g! - 0x60) < 6 && Math.abs(b! - 0xc0) < 6, `${format}: ${r} ${g} ${b}`);
  }
  const frames = await sharp(Buffer.concat([Buffer.alloc(16 * 16 * 3, 255), Buffer.alloc(16 * 16 * 3, 0)]), {
    raw: { width: 16, height: 32, channels: 3, pageHeight: 16 },
  })
    .gif({ delay: [100, 100] })
    .toBuffer();
  const first = await decode(frames, { ...imageLimits, formats: ['gif'] });
  test.same([first.width, first.height, first.data[0]], [16, 16, 255], 'the first frame of an animation');
  const huge = Buffer.from(svg.replaceAll('32', '32000').replaceAll('24', '24000'));
  test.equal(await code(huge, { ...imageLimits, formats: ['svg'] }), 'IMAGE_TOO_LARGE', 'before it is drawn');
  test.match(imageLimitsOf({ formats: ['avif', 'svg'] }).formats, ['avif', 'svg']);
  test.same(imageLimitsOf({ formats: [] }).formats, []);
  for (const formats of [['bmp'], 'gif', [1], ['gif', 'gif', 'gif', 'gif', 'gif']])
    test.throws(() => imageLimitsOf({ formats }), { name: 'OptionError', message: /images\.formats/ });
});

t.test('I-01: damaged and foreign files', async (test) => {
  const bytes = await png();
  test.equal(await code(new Uint8Array(0)), 'IMAGE_EMPTY');
  test.equal(await code(join(folder, 'absent.png')), 'IMAGE_EMPTY');
  test.equal(await code(folder), 'IMAGE_FORMAT');
  const foreign: [string, RegExp][] = [
    ['<!doctype html><title>x</title>', /web page/],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG/],
    ['GIF89a......', /GIF/],
    ['%PDF-1.7', /PDF/],
    ['hello', /text/],
    ['II*\0....', /TIFF/],
    ['\0\0\0\x20ftypavif', /AVIF/],
    ['PK\x03\x04', /zip/],
    ['version https://git-lfs.github.com/spec/v1', /LFS/],
  ];
  for (const [text, said] of foreign) {
    const error = await decode(Buffer.from(text, 'latin1')).then(
      () => undefined,
      (e: IpAdapterError) => e,
    );
    test.match(error, { code: 'IMAGE_FORMAT', message: said }, text.slice(0, 10));
  }
  for (const file of [
    bytes,
    await sharp(colours, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer(),
    await sharp(colours, { raw: { width, height, channels: 3 } })
      .webp()
      .toBuffer(),
  ]) {
    for (let i = 0; i < 40; ++i) {
      const cut = file.subarray(0, Math.floor(((i + 1) * (file.length - 3)) / 41));
      const got = await code(cut);
      test.ok(
        ['IMAGE_EMPTY', 'IMAGE_FORMAT', 'IMAGE_CORRUPT'].includes(got),
        `cut at ${cut.length} of ${file.length}: ${got}`,
      );
    }
  }
});

t.test('I-02: a pixel bomb is refused from its header', async (test) => {
  const bomb = await sharp({
    create: { width: 16383, height: 16383, channels: 3, background: 'white' },
    limitInputPixels: false,
  })
    .png()
    .toBuffer();
  const started = performance.now();
  const error = await decode(bomb).then(
    () => undefined,
    (e: IpAdapterError) => e,
  );
  const ms = performance.now() - started;
  test.match(error, { code: 'IMAGE_TOO_LARGE', details: { width: 16383 } });
  test.ok(ms < 250, `${ms.toFixed(0)} ms`);
  test.equal(await code(await png(), { ...imageLimits, maxPixels: 256 }), 'IMAGE_TOO_LARGE');
});

t.test('I-04, I-08, I-10: sizes, raw pixels, addresses', async (test) => {
  const small = await sharp({ create: { width: 15, height: 200, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  test.equal(await code(small), 'IMAGE_TOO_SMALL');
  const raw = { data: colours, width, height, channels: 3 };
  const captured = (source: unknown): string => {
    try {
      captureImage(source, 'image');
    } catch (error) {
      return (error as IpAdapterError).code;
    }
    return 'nothing';
  };
  test.equal(captured({ ...raw, width: 23 }), 'IMAGE_CHANNELS');
  test.equal(captured({ ...raw, channels: 5 }), 'IMAGE_CHANNELS');
  test.equal(captured({ ...raw, data: new Float32Array(3) }), 'OPTION_TYPE');
  test.equal(captured({ ...raw, height: 1.5 }), 'OPTION_TYPE');
  const detached = new Uint8Array(width * height * 3);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  test.equal(captured({ ...raw, data: detached }), 'IMAGE_CHANNELS');
  for (const url of [
    'https://example.com/a.png',
    'http://x/y',
    'blob:https://example.com/1',
    new URL('https://example.com/a.png'),
  ]) {
    test.equal(captured(url), 'IMAGE_URL_BLOCKED', String(url));
  }
  for (const other of [7, null, undefined, true, {}, [], Symbol('x')]) test.equal(captured(other), 'OPTION_TYPE');
  test.equal(captured('C:\\pictures\\a.png'), 'nothing', 'a drive letter is no scheme');
});

t.test('a data: address holds its picture, nothing is fetched', async (test) => {
  const bytes = await png();
  const expected = (await decode(bytes)).data;
  const text = bytes.toString('base64');
  for (const source of [
    `data:image/png;base64,${text}`,
    new URL(`data:image/png;base64,${text}`),
    `data:;base64,${bytes.toString('base64url')}`,
    `data:image/png;name=a.png;base64,${encodeURIComponent(text)}`,
    `data:image/png;base64,${text.replace(/.{76}/g, '$&\n')}`,
    `data:application/octet-stream,${[...bytes].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('')}`,
  ])
    test.same((await decode(source)).data, expected, String(source).slice(0, 50));
  test.equal(await code('data:image/png;base64,AAAA'), 'IMAGE_FORMAT');
  test.equal(await code('data:image/png;base64,'), 'IMAGE_EMPTY');
  test.equal(await code('data:image/png;base64,A*A'), 'IMAGE_FORMAT');
  test.equal(await code('data:image/png;base64'), 'IMAGE_FORMAT');
  test.equal(await code('data:,%zz'), 'IMAGE_FORMAT');
  const huge = `data:image/png;base64,${'A'.repeat(359_000_000)}`; // of 269 MB
  test.equal(await code(huge), 'IMAGE_TOO_LARGE');
});

t.test('base64 without its address is refused by name, a path is not', async (test) => {
  const text = (await png()).toString('base64');
  const given = (source: string) => {
    try {
      return captureImage(source, 'image').kind;
    } catch (e) {
      return e;
    }
  };
  for (const source of [text, `${text.slice(0, 100)}\n${text.slice(100)}`, 'A'.repeat(300)])
    test.match(given(source), {
      code: 'IMAGE_FORMAT',
      hint: "this looks like base64: pass Buffer.from(text, 'base64')",
    });
  for (const path of ['iVBORw0KGgo', `/9j/${'a/'.repeat(20)}x`, `${'a/'.repeat(200)}x.png`])
    test.equal(given(path), 'file', path);
});

t.test('a buffer that changes after the call has no effect', async (test) => {
  const bytes = Buffer.from(readFileSync(reference('person-1-1.png')));
  const before = await decode(Buffer.from(bytes));
  const captured = captureImage(bytes, 'image');
  bytes.fill(0);
  test.same((await decodeImage(captured, imageLimits)).data, before.data);
});
