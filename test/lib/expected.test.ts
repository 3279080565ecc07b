// The pictures that the reference implementation draws with the bundled model, on every CPU level.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { devices, type GenerateOptions, Pipeline } from '../../lib/index.js';
import { reference, sketch } from './sketch.js';

interface Expected extends GenerateOptions {
  readonly file: string;
  readonly dtype: 'f32';
  readonly adapter: 'base' | 'plus' | null;
  readonly reference: string | null;
  readonly scale: number | null;
}

const folder = join(dirname(sketch.path), 'expected');
const pictures = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as readonly Expected[];
const MEAN = 1; // grey level: f32 sums in another order, through 20 steps and the decoder

const [cpu] = await devices();
const present = cpu?.usable ? cpu.levels : [];
const levels = new Set(['base', 'avx2', 'avx512', ...present]);
const given = process.env.IPA_CPU;
t.teardown(() => {
  if (given === undefined) delete process.env.IPA_CPU;
  else process.env.IPA_CPU = given;
});

/** Mean and largest difference from the expected file, in grey levels. */
const difference = async (file: string, data: Uint8Array): Promise<{ mean: number; worst: number }> => {
  const expected = await sharp(join(folder, file)).removeAlpha().raw().toBuffer();
  const differences = [...expected].map((value, i) => Math.abs(value - data[i]!));
  return {
    mean: differences.reduce((sum, v) => sum + v, 0) / differences.length,
    worst: Math.max(...differences),
  };
};

for (const level of levels) {
  const skip = present.includes(level) ? false : `this CPU or binary has no ${level}`;
  t.test(`${level} draws the reference implementation’s pictures`, { skip }, async (test) => {
    process.env.IPA_CPU = level;
    await using pipe = await Pipeline.load(sketch.path, { dtype: pictures[0]!.dtype });
    test.equal(pipe.info.level, level);
    for (const name of ['base', 'plus'] as const) await pipe.addAdapter(sketch.adapters[name], { name });
    for (const { file, adapter, reference: shown, scale, dtype, ...options } of pictures) {
      test.equal(pipe.info.dtype, dtype);
      const references = adapter ? [{ adapter, image: reference(shown!), scale: scale! }] : [];
      const { images } = await pipe.generate({ ...options, references });
      const { mean, worst } = await difference(file, images[0]!.data);
      test.ok(mean <= MEAN, `${file}: mean ${mean.toFixed(4)}, worst ${worst} grey levels`);
    }
  });
}
