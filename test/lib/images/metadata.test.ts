import { mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, crc32 as zlibCrc } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import t from 'tap';
import { exifTexts } from '../../../lib/images/exif.js';
import { GeneratedImage } from '../../../lib/images/generated-image.js';
import { type RunRecord, readMetadata } from '../../../lib/images/metadata.js';
import { crc32, withTexts } from '../../../lib/images/png.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-metadata-'));
const record: RunRecord = {
  version: 1,
  package: 'node-ip-adapter 0.0.0',
  prompt: 'portrait of a woman',
  promptSyntax: 'a1111',
  width: 32,
  height: 16,
  steps: 20,
  guidanceScale: 3,
  guidanceRescale: 0,
  seed: '18446744073709551615',
  sampler: 'dpmpp_2m',
  schedule: 'karras',
  clipSkip: [0, 0],
  noise: 'torch-cpu',
  device: 'cpu',
  dtype: 'f32',
  model: { name: 'pipeline', family: 'custom' },
  loras: [],
  references: [{ adapter: 'face, "one"', variant: 'faceid', images: ['ab'], scale: 0.7 }],
};
const pixels = { width: 32, height: 16, data: Uint8Array.from({ length: 32 * 16 * 3 }, (_, i) => i % 251) };
const image = (changes: Partial<RunRecord> = {}, writes = true): GeneratedImage =>
  new GeneratedImage(pixels, 7n, { ...record, ...changes }, writes);
const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing',
    (e: { code: string }) => e.code,
  );

t.test('what is written is read back', async (test) => {
  const file = await image().toBuffer();
  const { record: read, parameters, texts } = await readMetadata(file);
  test.same(read, record);
  test.same(Object.keys(texts).sort(), ['node-ip-adapter', 'parameters']);
  test.equal(
    parameters,
    'portrait of a woman\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3, Seed: 18446744073709551615, Size: 32x16, ' +
      'Model: pipeline, IP-Adapter 0: "face, \\"one\\", scale 0.7", Version: node-ip-adapter 0.0.0',
  );
  const { data } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  test.ok(Buffer.from(pixels.data).equals(data), 'an independent reader sees the same pixels');
  test.same(await readMetadata(await image({}, false).toBuffer()), { texts: {} }, 'metadata: false writes none');
  for (const format of ['jpeg', 'webp'] as const)
    test.same(await readMetadata(await image({}, false).toBuffer(format)), { texts: {} });
});

t.test('JPEG and WebP carry both texts in EXIF', async (test) => {
  const prompt = 'é猫\ud800 portrait\nof';
  for (const format of ['jpeg', 'webp'] as const) {
    const file = await image({ prompt }).toBuffer(format);
    const png = await readMetadata(await image({ prompt: 'é猫 portrait\nof' }).toBuffer());
    const { record: read, parameters } = await readMetadata(
      await image({ prompt: png.record!.prompt }).toBuffer(format),
    );
    test.same(read, png.record, format);
    test.equal(parameters, png.parameters, format);
    test.equal((await readMetadata(file)).record?.prompt, prompt, 'lone surrogates too');
    const bare = await image({ prompt }, false).toBuffer(format);
    const decoded = (bytes: Buffer): Promise<Buffer> => sharp(bytes).raw().toBuffer();
    test.ok((await decoded(file)).equals(await decoded(bare)), 'an independent reader sees the same pixels');
    test.match(await sharp(file).metadata(), { format, width: 32, height: 16 });
    const long = await readMetadata(await image({ prompt: 'é'.repeat(40_000) }).toBuffer(format));
    test.match(long.record, { truncated: true, prompt: 'é'.repeat(1_000) });
  }
});

t.test('UserComment of others is read in both byte orders, and a damaged block says nothing', async (test) => {
  const text = 'a cat\nSteps: 20, Sampler: Euler a, Size: 8x8';
  const units = Buffer.from(text, 'utf16le');
  for (const order of ['MM', 'II'])
    for (const comment of [units, Buffer.from(units).swap16()]) {
      const block = Buffer.alloc(44);
      const [u16, u32] =
        order === 'MM'
          ? [block.writeUInt16BE.bind(block), block.writeUInt32BE.bind(block)]
          : [block.writeUInt16LE.bind(block), block.writeUInt32LE.bind(block)];
      block.write(order, 'latin1');
      u16(42, 2);
      u32(8, 4);
      u16(1, 8); // IFD0: the pointer to the next
      u16(0x8769, 10);
      u16(4, 12);
      u32(1, 14);
      u32(26, 18);
      u16(1, 26); // its UserComment
      u16(0x9286, 28);
      u16(7, 30);
      u32(8 + comment.length, 32);
      u32(44, 36);
      const exif = Buffer.concat([block, Buffer.from('UNICODE\0', 'latin1'), comment]);
      test.same(exifTexts(exif, { text: 'parameters', json: 'j' }), [{ keyword: 'parameters', text }]);
      for (let end = 0; end < exif.length; ++end)
        test.ok(exifTexts(exif.subarray(0, end), { text: 'parameters', json: 'j' }).length <= 1);
    }
});

t.test('X-08: no prompt writes fields of its own, and every prompt comes back', async (test) => {
  const nasty = 'a\nSteps: 1, Seed: 2\r\0<script>\u2028é猫\ud800';
  const {
    record: read,
    parameters,
    texts,
  } = await readMetadata(await image({ prompt: nasty, negativePrompt: nasty }).toBuffer());
  test.equal(read?.prompt, nasty);
  test.equal(parameters?.split('\n').length, 3);
  test.same(Object.keys(texts).sort(), ['node-ip-adapter', 'parameters']);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (prompt) => {
      const found = await readMetadata(await image({ prompt, note: prompt }).toBuffer());
      return (
        found.record?.prompt === prompt && found.record.note === prompt && found.parameters?.split('\n').length === 2
      );
    }),
    { numRuns: 60 },
  );
  const long = await image({ prompt: 'é'.repeat(100_000) }).toBuffer();
  const cut = await readMetadata(long);
  test.equal(cut.record?.truncated, true);
  test.ok(long.length < 150_000, `${long.length} bytes`);
});

t.test('other programs’ texts are read, hostile ones are not believed', async (test) => {
  const png = await sharp(pixels.data, { raw: { width: 32, height: 16, channels: 3 } })
    .png()
    .toBuffer();
  const zipped = Buffer.concat([Buffer.from('workflow\0\0', 'latin1'), deflateSync('{"nodes":[]}')]);
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const inserted = (extra: Buffer): Buffer => Buffer.concat([png.subarray(0, 33), extra, png.subarray(33)]);
  test.same((await readMetadata(inserted(chunk('zTXt', zipped)))).texts, { workflow: '{"nodes":[]}' });
  const bomb = Buffer.concat([Buffer.from('workflow\0\0', 'latin1'), deflateSync(Buffer.alloc(50_000_000))]);
  test.same((await readMetadata(inserted(chunk('zTXt', bomb)))).texts, {});
  test.equal(
    (await readMetadata(withTexts(png, [{ keyword: 'node-ip-adapter', text: '{"version":2}' }]))).record,
    undefined,
  );
  test.equal((await readMetadata(withTexts(png, [{ keyword: 'node-ip-adapter', text: 'no JSON' }]))).record, undefined);
  const broken = inserted(chunk('tEXt', Buffer.from('parameters\0a', 'latin1')));
  broken[45] = broken[45]! ^ 1;
  test.equal(await code(readMetadata(broken)), 'IMAGE_CORRUPT');
  const overlong = Buffer.from(png);
  overlong.writeUInt32BE(0xfffffff0, 33);
  test.equal(await code(readMetadata(overlong)), 'IMAGE_CORRUPT');
  if (typeof zlibCrc === 'function') test.equal(crc32(png), zlibCrc(png));
});

t.test('files are written whole, and not over others', async (test) => {
  const path = join(folder, 'a.png');
  await image().toFile(path);
  test.same(readFileSync(path), await image().toBuffer());
  test.equal(await code(image().toFile(path)), 'OUTPUT_EXISTS');
  await image({ prompt: 'other' }).toFile(path, { overwrite: true });
  test.equal((await readMetadata(path)).record?.prompt, 'other');
  for (const name of ['b.jpg', 'b.jpeg', 'b.webp', 'b.WEBP']) await image().toFile(join(folder, name));
  test.equal((await sharp(join(folder, 'b.webp')).metadata()).format, 'webp');
  test.equal(await code(image().toFile(join(folder, 'c.gif'))), 'OPTION_UNKNOWN');
  test.equal(await code(image().toFile(join(folder, 'c'))), 'OPTION_UNKNOWN');
  test.equal(await code(image().toFile(join(folder, 'absent', 'c.png'))), 'OUTPUT_IO');
  test.equal(await code(image().toFile(join(folder, 'd.png'), { overwrit: true } as object)), 'OPTION_UNKNOWN');
  test.equal(await code(image().toBuffer('gif' as never)), 'OPTION_UNKNOWN');
  writeFileSync(join(folder, 'target'), 'kept');
  symlinkSync('target', join(folder, 'link.png'));
  test.equal(await code(image().toFile(join(folder, 'link.png'))), 'OUTPUT_EXISTS');
  test.equal(readFileSync(join(folder, 'target'), 'utf8'), 'kept');
  const names = readdirSync(folder);
  test.notOk(
    names.some((name) => name.endsWith('.part')),
    names.join(' '),
  );
});
