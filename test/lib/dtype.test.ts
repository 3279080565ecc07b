// What a pipeline computes with: chosen by the level, named by the caller, told in info and record.
import t from 'tap';
import { Pipeline } from '../../lib/index.js';
import { loadSettings } from '../../lib/models/options.js';
import { digestOf, failure, scene, sketch } from './sketch.js';
import { useLevel } from './stand-ins.js';

const given = process.env.IPA_CPU;
t.teardown(() => {
  if (given === undefined) delete process.env.IPA_CPU;
  else process.env.IPA_CPU = given;
});

const drawnWith = async (dtype: 'auto' | 'f32' | 'bf16'): Promise<{ info: string; record: string; digest: string }> => {
  await using pipe = await Pipeline.load(sketch.path, { dtype });
  const { images } = await pipe.generate({ ...scene, steps: 2 });
  return { info: pipe.info.dtype, record: images[0]!.metadata.dtype, digest: digestOf(images[0]!.data) };
};

useLevel('amx'); // the first one loads the addon that has the stand-ins
process.env.IPA_CPU = 'base';
const inF32 = await drawnWith('auto');

t.test('a level without bf16 takes f32 by itself and refuses bf16', async (test) => {
  process.env.IPA_CPU = 'base';
  test.match(inF32, { info: 'f32', record: 'f32' });
  const { code } = await failure(Pipeline.load(sketch.path, { dtype: 'bf16' }));
  test.equal(code, 'DEVICE_UNSUPPORTED');
});

for (const level of ['avx512bf16', 'amx'] as const) {
  t.test(`${level} takes bf16 by itself, and f32 when told`, async (test) => {
    useLevel(level);
    const itself = await drawnWith('auto');
    test.match(itself, { info: 'bf16', record: 'bf16' });
    test.same(await drawnWith('bf16'), itself);
    const told = await drawnWith('f32');
    test.match(told, { info: 'f32', record: 'f32' });
    test.not(told.digest, itself.digest, 'another way of computing');
  });
}

t.test('an unknown precision is refused at the door', async (test) => {
  for (const dtype of ['auto', 'f32', 'f16', 'bf16'] as const) test.equal(loadSettings({ dtype }).dtype, dtype);
  const { code } = await failure(Pipeline.load(sketch.path, { dtype: 'int8' as 'f32' }));
  test.equal(code, 'OPTION_UNKNOWN');
});

t.test('f16 is for cards: on a CPU it says what to use', async (test) => {
  const error = await failure(Pipeline.load(sketch.path, { device: 'cpu', dtype: 'f16' }));
  test.match(error, { code: 'DEVICE_UNSUPPORTED', hint: /"auto", "f32" or "bf16"/ });
});
