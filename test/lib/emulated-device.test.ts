// A card as a device, through the public API: the emulated one draws what the CPU draws.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { devices, type GenerateOptions, Pipeline } from '../../lib/index.js';
import { child, failure, opened, reference, scene, sketch } from './sketch.js';

// f16 and bf16 on one side, f32 on the other: a pixel here and there turns over, the picture stays.
const MEAN = 2; // grey levels

const short: GenerateOptions = {
  ...scene,
  steps: 2,
  guidanceScale: 3,
  width: 64,
  height: 64,
  references: [{ adapter: 'base', image: reference('person-5-1.png') }],
};

const picture = async (pipe: Pipeline): Promise<Uint8Array> => {
  if (!pipe.info.adapters.includes('base')) await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  const { images } = await pipe.generate(short);
  return images[0]!.data;
};

const memory = (bytes: number | undefined): void => {
  if (bytes === undefined) delete process.env.IPA_EMULATED_MEMORY;
  else process.env.IPA_EMULATED_MEMORY = String(bytes);
};
t.teardown(() => memory(undefined));

const difference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

let drawn: Uint8Array;

t.test('draws what the CPU draws, with a reference and guidance', async (test) => {
  const onCpu = await picture(await opened(test, { device: 'cpu', dtype: 'f32' }));
  const pipe = await opened(test, { device: 'emulated' });
  test.match(pipe.info, { device: 'emulated', card: 'emulated device', level: 'sm_80', dtype: 'f16' });
  drawn = await picture(pipe);
  test.equal(drawn.length, onCpu.length);
  const mean = difference(drawn, onCpu);
  test.ok(mean > 0 && mean <= MEAN, `mean difference ${mean.toFixed(2)} of 255`);
});

t.test(
  'in a memory where not all networks find room at once they leave, come and are streamed, and the picture is the same',
  async (test) => {
    const bytes = 26.5e6;
    memory(bytes);
    const pipe = await opened(test, { device: 'emulated' });
    test.same(await picture(pipe), drawn);
    const { memory: there, streaming } = pipe.info;
    test.ok(streaming && streaming.bytes > 1e6 && streaming.stepMs > 0, 'the UNet comes over by parts');
    test.ok(there + (streaming?.bytes ?? 0) > bytes * 0.95, 'there is no room for all weights at once');
    const within = await opened(test, { device: 'emulated', memory: { budget: '20MB' } });
    test.same(await picture(within), drawn);
    test.match(await failure(opened(test, { device: 'emulated', memory: { budget: '1MiB' } })), {
      code: 'MEMORY_BUDGET',
      details: { needed: /^\d+$/, allowed: '1048576' },
    });
  },
);

t.test('a region, weights and scaled keys act as on the CPU', async (test) => {
  const data = new Uint8Array(64 * 64 * 3);
  for (let i = 0; i < data.length; ++i) data[i] = Math.floor(i / 3) % 64 < 40 ? 255 : 60;
  const images = [reference('person-5-1.png'), reference('person-3-1.png')];
  const how = { images, weights: [1, 0.4], mask: { data, width: 64, height: 64, channels: 3 } } as const;
  const on = async (device: 'cpu' | 'emulated'): Promise<Uint8Array> => {
    const pipe = await opened(test, { device, ...(device === 'cpu' ? { dtype: 'f32' } : {}) });
    await pipe.addAdapter(sketch.adapters.base);
    const references = [{ ...how, embedsScaling: 'K+mean(V) w/ C penalty', scale: 2 }] as const;
    return (await pipe.generate({ ...short, references })).images[0]!.data;
  };
  const mean = difference(await on('emulated'), await on('cpu'));
  test.ok(mean > 0 && mean <= MEAN, `mean difference ${mean.toFixed(2)} of 255`);
});

t.test('a decoder that has no room for its values makes the picture in bands', async (test) => {
  const tall = { ...scene, steps: 1, guidanceScale: 1, width: 96, height: 128 };
  const decoded = async (budget: string): Promise<Uint8Array> => {
    const { images } = await (await opened(test, { device: 'emulated', memory: { budget } })).generate(tall);
    return images[0]!.data;
  };
  const whole = await decoded('40MB');
  const mean = difference(await decoded('6.5MB'), whole);
  test.ok(mean < 0.1, `mean difference ${mean.toFixed(3)} of 255`);
});

t.test('what finds no room is refused with numbers', async (test) => {
  memory(1e6);
  const error = await failure(Pipeline.load(sketch.path, { device: 'emulated' }));
  test.match(error, {
    code: 'DEVICE_OUT_OF_MEMORY',
    name: 'ResourceError',
    message: /^\d+ bytes are needed at once, the device had 9\d{5} for us/,
    hint: /device cpu/,
    details: { needed: /^\d+$/, free: /^9\d{5}$/ },
  });
  memory(undefined);
});

t.test('a library of cards is probed and its first card taken', async (test) => {
  process.env.IPA_CUDA_LIBRARY = fileURLToPath(new URL('../../build-cmake/Release/ipa_emulated.so', import.meta.url));
  test.teardown(() => {
    delete process.env.IPA_CUDA_LIBRARY;
  });
  const card = { id: 'cuda:0', name: 'emulated device', capability: '8.0', memory: 2 ** 33, driver: '13.0' };
  test.same((await devices()).slice(1), [{ ...card, usable: true }]);
  for (const dtype of ['f32', 'bf16', 'f16'] as const) {
    const pipe = await opened(test, { device: 'cuda', dtype });
    test.match(pipe.info, { device: 'cuda:0', card: card.name, level: 'sm_80', dtype });
  }
});

t.test('worker threads open, use and leave it, in mid-run too', async (test) => {
  const { code, signal, out, err } = await child('emulated-worker.child.ts');
  test.match({ code, signal }, { code: 0, signal: null }, err);
  const { worker, main } = JSON.parse(out) as Record<string, string>;
  test.equal(worker, main, 'the same bytes in a worker and in the main thread');
});
