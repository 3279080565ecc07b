// ControlNets and T2I-Adapters through the public API, on small models with made weights.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { controlNetwork } from '../../../lib/controls/control-net.js';
import { type Control, type GenerateOptions, Pipeline } from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { controlFile, goldenPart, modelFolder, scratch } from '../made/models.js';
import { writeMade } from '../made/rule.js';
import { digestOf, failure } from '../sketch.js';

const folder = scratch();
const [sd15, sdxl] = [await modelFolder(folder, 'sd15'), await modelFolder(folder, 'sdxl')];

const files = {
  net: controlFile(folder, 'controlnet15'),
  xl: controlFile(folder, 'controlnetxl', goldenPart('controlnetxl').config),
  t2i: controlFile(folder, 't2i-full'),
};

/** Stripes and a square, so that there are edges. */
const map = (width = 64, height = 64): { data: Uint8Array; width: number; height: number; channels: 3 } => {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x)
      data.fill(x % 16 < 8 && y > 20 ? 230 : 10, 3 * (y * width + x), 3 * (y * width + x) + 3);
  return { data, width, height, channels: 3 };
};

const scene: GenerateOptions = {
  prompt: 'a harbour',
  width: 64,
  height: 64,
  steps: 4,
  seed: 5,
  guidanceScale: 4,
  sampler: 'ddim',
};

const opened = async (test: Test, path = sd15): Promise<Pipeline> => {
  const pipe = await Pipeline.load(path, { dtype: 'f32', threads: 2, device: 'cpu' });
  test.teardown(() => pipe.dispose());
  return pipe;
};
const drawn = async (pipe: Pipeline, controls?: readonly Control[]): Promise<string> =>
  digestOf((await pipe.generate({ ...scene, ...(controls && { controls }) })).images[0]!.data);

t.test('a ControlNet acts within its window, at its scale, and leaves no trace', async (test) => {
  const pipe = await opened(test);
  const none = await drawn(pipe);
  const net = await pipe.addControlNet(files.net, { name: 'edges' });
  test.equal(net.info.kind, 'controlnet');
  test.same(pipe.info.controlNets, ['edges']);
  const steps = async (control: Partial<Control>): Promise<number> => {
    const before = controlNetwork(net).runs('step');
    await drawn(pipe, [{ image: map(), ...control }]);
    return controlNetwork(net).runs('step') - before;
  };
  test.equal(await steps({}), 4);
  test.equal(await steps({ start: 0.25, end: 0.75 }), 2, 'diffusers: steps 1 and 2 of 0 to 3');
  test.equal(await steps({ end: 0.2 }), 0, 'no step fits: it is never called');
  test.equal(await drawn(pipe, [{ image: map(), end: 0.2 }]), none);
  test.equal(await drawn(pipe, [{ image: map(), scale: 0 }]), none, 'scale 0 is none');
  const all = [{}, { scale: 0.5 }, { mode: 'prompt' }, { mode: 'control' }, { mode: 'guess' }, { preprocess: 'canny' }];
  const pictures = await Promise.all(
    all.map((control) => drawn(pipe, [{ controlNet: net, image: map(), ...(control as object) }])),
  );
  test.equal(new Set([none, ...pictures]).size, all.length + 1, 'each acts in its own way');
  test.equal(await drawn(pipe, [{ controlNet: 'edges', image: map() }]), pictures[0], 'by name, the same bytes');
  test.equal(await drawn(pipe), none, 'a run without controls is as before');
  await net.dispose();
  test.same(pipe.info.controlNets, []);
  test.match(await failure(drawn(pipe, [{ controlNet: net, image: map() }])), { code: 'CLOSED' });
});

t.test('in a run with hires a control acts in the passes that it names, by windows of each', async (test) => {
  const pipe = await opened(test);
  const net = await pipe.addControlNet(files.net, { name: 'edges' });
  const hires = { scale: 1.5, strength: 0.5 };
  const steps = async (control: Partial<Control>): Promise<number> => {
    const before = controlNetwork(net).runs('step');
    await pipe.generate({ ...scene, hires, controls: [{ image: map(), ...control }] });
    return controlNetwork(net).runs('step') - before;
  };
  test.equal(await steps({}), 6, 'four steps, then half of four');
  test.equal(await steps({ passes: 'base' }), 4);
  test.equal(await steps({ passes: 'hires' }), 2);
  test.equal(await steps({ start: 0.5 }), 3, 'two of four, then one of two');
  const { warnings } = await pipe.generate({ ...scene, controls: [{ image: map(), passes: 'hires' }] });
  test.match(warnings, [{ code: 'OPTION_CONFLICT', message: 'controls[0] has no effect' }]);
});

t.test('controls see prompts that change with the steps, and each of those joined by AND', async (test) => {
  const pipe = await opened(test);
  await pipe.addControlNet(files.net, { name: 'edges' });
  await pipe.addControlNet(files.t2i, { name: 'sketch' });
  const pixels = async (prompt: string, control: Partial<Control>) =>
    (await pipe.generate({ ...scene, prompt, controls: [{ image: map(), ...control }] })).images[0]!.data;
  for (const control of [
    { controlNet: 'edges' },
    { controlNet: 'edges', mode: 'control' },
    { controlNet: 'sketch' },
  ] as const) {
    const name = JSON.stringify(control);
    const [cat, dog] = [await pixels('a cat', control), await pixels('a dog', control)];
    const halves = await pixels('a cat :0.5 AND a cat :0.5', control);
    const far = halves.reduce((most, value, i) => Math.max(most, Math.abs(value - cat[i]!)), 0);
    test.ok(far <= 2, `${name}: rounded after each of two, ${far} of 255`);
    const changed = digestOf(await pixels('a [cat:dog:2]', control));
    test.not(changed, digestOf(cat), name);
    test.not(changed, digestOf(dog), name);
    test.equal(digestOf(await pixels('a [cat:dog:0]', control)), digestOf(dog), name);
  }
});

t.test('a T2I-Adapter is told apart by its tensors, computed once, and acts beside a ControlNet', async (test) => {
  const pipe = await opened(test);
  const none = await drawn(pipe);
  const adapter = await pipe.addControlNet(files.t2i, { name: 'sketch' });
  test.equal(adapter.info.kind, 't2i-adapter');
  const one = await drawn(pipe, [{ image: map() }]);
  test.equal(controlNetwork(adapter).runs('features'), 1);
  const net = await pipe.addControlNet(files.net, { name: 'edges' });
  const both = await drawn(pipe, [
    { controlNet: adapter, image: map() },
    { controlNet: net, image: map(), end: 0.5 },
  ]);
  test.equal(new Set([none, one, both]).size, 3);
  const { warnings } = await pipe.generate({
    ...scene,
    controls: [{ controlNet: adapter, image: map(), mode: 'guess' }],
  });
  test.match(warnings, [{ code: 'OPTION_CONFLICT', message: 'controls[0].mode guess has no effect' }]);
});

t.test('the run record and the picture of another size', async (test) => {
  const pipe = await opened(test);
  await pipe.addControlNet(files.net, { name: 'edges' });
  const { warnings, images } = await pipe.generate({
    ...scene,
    controls: [{ image: map(90, 50), scale: 0.7, mode: 'control', preprocess: 'canny' }],
  });
  test.match(warnings, [{ code: 'OPTION_CONFLICT', message: 'controls[0].image is 90 × 50 and the picture 64 × 64' }]);
  const [control] = images[0]!.metadata.controls!;
  test.match(control, { controlNet: 'edges', kind: 'controlnet', scale: 0.7, start: 0, end: 1, mode: 'control' });
  test.match(control, { preprocess: 'canny', image: /^[0-9a-f]{64}$/ });
  test.equal((await pipe.generate(scene)).images[0]!.metadata.controls, undefined);
  const half = await pipe.generate({ ...scene, guidanceScale: 1, controls: [{ image: map(), mode: 'control' }] });
  test.match(half.warnings, [{ code: 'OPTION_CONFLICT', message: 'without guidance there is no unconditional half' }]);
});

t.test('SDXL: a ControlNet folder with its configuration', async (test) => {
  const pipe = await opened(test, sdxl);
  const none = await drawn(pipe);
  // what a file without configuration stands for: the made UNet has none either
  const shapes = { ...goldenPart('controlnetxl').shapes };
  const added = 'add_embedding.linear_1.weight';
  shapes[added] = [shapes[added]![0]!, 64 + 6 * 256];
  const at = join(folder, 'xl-net');
  mkdirSync(at, { recursive: true });
  writeMade(join(at, 'diffusion_pytorch_model.safetensors'), 'net', shapes);
  writeFileSync(
    join(at, 'config.json'),
    JSON.stringify({ _class_name: 'ControlNetModel', global_pool_conditions: true }),
  );
  const net = await pipe.addControlNet(at);
  test.equal(controlNetwork(net).info.globalPool, true);
  test.not(await drawn(pipe, [{ image: map() }]), none);
});

t.test('what cannot be is refused, with what was found', async (test) => {
  const pipe = await opened(test);
  test.match(await failure(drawn(pipe, [{ image: map() }])), {
    code: 'NOT_LOADED',
    message: 'none is attached',
    hint: 'pipe.addControlNet',
  });
  test.match(await failure(pipe.addControlNet(files.xl)), {
    code: 'ADAPTER_BASE_MISMATCH',
    message: 'widths 32, 64, 128;',
  });
  test.match(await failure(pipe.addControlNet(join(sd15, 'unet', 'diffusion_pytorch_model.safetensors'))), {
    code: 'ADAPTER_UNKNOWN',
    message: 'is no ControlNet or T2I-Adapter: it is a UNet',
  });
  test.match(await failure(pipe.addControlNet(sd15)), { code: 'MODEL_NOT_FOUND', message: 'diffusion_pytorch_model' });
  test.match(await failure(pipe.addAdapter(files.net)), { code: 'ADAPTER_UNKNOWN', hint: 'pipe.addControlNet(file)' });
  await pipe.addControlNet(files.net, { name: 'edges' });
  test.match(await failure(pipe.addControlNet(files.t2i, { name: 'edges' })), { code: 'OPTION_CONFLICT' });
  for (const [control, error] of [
    [{ scale: 2.1 }, { code: 'OPTION_RANGE', message: 'controls[0].scale' }],
    [
      { start: 0.6, end: 0.5 },
      { code: 'OPTION_RANGE', message: 'controls[0].start' },
    ],
    [{ mode: 'guessing' }, { code: 'OPTION_UNKNOWN', message: 'controls[0].mode' }],
    [{ controlNet: 'edgs' }, { code: 'OPTION_UNKNOWN', hint: 'Did you mean "edges"?' }],
    [{ image: undefined }, { code: 'OPTION_TYPE', message: 'controls[0].image' }],
    [{ weight: 1 }, { code: 'OPTION_UNKNOWN' }],
  ] as const)
    test.match(await failure(drawn(pipe, [{ image: map(), ...(control as object) }])), error, JSON.stringify(control));
  const nine = new Array(9).fill({ image: map() });
  test.match(await failure(drawn(pipe, nine)), { code: 'OPTION_RANGE', message: 'controls' });
  test.equal(pipelineParts(pipe).model.unet.runs('step'), 0, 'all before any work');
});
