// Graphs of ComfyUI as options: what leads to the sampler is taken, everything else is listed, and no graph hangs.
import t from 'tap';
import { fromGraph } from '../../../lib/record/comfyui.js';

const graph = (change: object = {}): Record<string, unknown> => ({
  '3': {
    class_type: 'KSampler',
    inputs: {
      seed: 9007199254740991,
      steps: 20,
      cfg: 6.5,
      sampler_name: 'dpmpp_2m',
      scheduler: 'karras',
      denoise: 1,
      model: ['12', 0],
      positive: ['20', 0],
      negative: ['20', 1],
      latent_image: ['5', 0],
    },
  },
  '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'v1-5.safetensors' } },
  '5': { class_type: 'EmptyLatentImage', inputs: { width: 512, height: 768, batch_size: 1 } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: ['30', 0], clip: ['11', 1] } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'blurry', clip: ['11', 1] } },
  '11': {
    class_type: 'LoraLoader',
    inputs: { lora_name: 'sub/ink.safetensors', strength_model: 0.8, strength_clip: 0.5, model: ['4', 0] },
  },
  '12': { class_type: 'IPAdapterAdvanced', inputs: { weight: 0.7, model: ['11', 0], image: ['13', 0] } },
  '13': { class_type: 'LoadImage', inputs: { image: 'her.png' } },
  '20': { class_type: 'ControlNetApplyAdvanced', inputs: { positive: ['6', 0], negative: ['7', 0], strength: 1 } },
  '30': { class_type: 'PrimitiveNode', inputs: { value: 'a (red:1.2) cat' } },
  ...change,
});
const read = (change?: object) => fromGraph(JSON.stringify(graph(change)));

t.test('what leads to the sampler is taken, the rest is listed', async (test) => {
  const { options, notTaken } = read()!;
  test.strictSame(options, {
    promptSyntax: 'comfyui',
    prompt: 'a (red:1.2) cat',
    negativePrompt: 'blurry',
    steps: 20,
    guidanceScale: 6.5,
    seed: 9007199254740991n,
    noise: 'comfyui',
    sampler: 'dpmpp_2m',
    schedule: 'karras',
    width: 512,
    height: 768,
  });
  test.strictSame(notTaken, [
    '<lora:ink:0.5:0.8>',
    'CheckpointLoaderSimple: "v1-5.safetensors"',
    'IPAdapterAdvanced: "12"',
    'LoadImage: "13"',
    'ControlNetApplyAdvanced: "20"',
  ]);
});

t.test('seeds beyond 2^53 keep their digits', async (test) => {
  const text = JSON.stringify(graph()).replace('9007199254740991', '18446744073709551615');
  test.equal(fromGraph(text)!.options.seed, 18446744073709551615n);
});

t.test(
  'advanced samplers, second passes, pictures to begin with and names that are not here are listed',
  async (test) => {
    const inputs = {
      noise_seed: 7,
      steps: 10,
      cfg: 5,
      sampler_name: 'swirl',
      scheduler: 'normal',
      start_at_step: 2,
      end_at_step: 10000,
      add_noise: 'enable',
      positive: ['7', 0],
      negative: ['nowhere', 0],
      latent_image: ['8', 0],
    };
    const second = { class_type: 'KSampler', inputs: { latent_image: ['3', 0] } };
    const encoded = { class_type: 'VAEEncode', inputs: {} };
    const { options, notTaken } = read({ '2': second, '3': { class_type: 'KSamplerAdvanced', inputs }, '8': encoded })!;
    test.match(options, { seed: 7n, steps: 10, prompt: 'blurry', schedule: 'normal' });
    test.notOk('sampler' in options || 'negativePrompt' in options || 'width' in options);
    for (const listed of [
      'sampler_name: "swirl"',
      'start_at_step: 2',
      'latent_image: "VAEEncode"',
      'KSamplerAdvanced.negative: "no CLIPTextEncode leads to it"',
      'KSampler 2: "a further pass"',
    ])
      test.ok(notTaken.includes(listed), listed);
    test.notOk(notTaken.some((one) => one.startsWith('end_at_step') || one.startsWith('add_noise')));
  },
);

t.test('graphs of strangers end, and give no wrong types', async (test) => {
  for (const text of [
    '',
    '{',
    '[]',
    '7',
    'null',
    '{"a":1}',
    '{"a":{"class_type":"KSampler","inputs":[]}}',
    '{"prompt":{}}',
  ])
    test.equal(fromGraph(text), undefined, text);
  const circle = {
    '6': { class_type: 'ConditioningCombine', inputs: { conditioning_1: ['7', 0], conditioning: ['6', 0] } },
    '7': { class_type: 'ConditioningCombine', inputs: { conditioning_1: ['6', 0] } },
    '11': { class_type: 'LoraLoader', inputs: { lora_name: {}, strength_model: 'x', model: ['11', 0] } },
  };
  const { options, notTaken } = read(circle)!;
  test.notOk('prompt' in options);
  test.ok(notTaken.includes('<lora:?:0:?>'));
  const inputs = {
    seed: -1,
    steps: '20',
    cfg: null,
    sampler_name: ['a'],
    scheduler: {},
    denoise: 0.5,
    positive: 'x',
    latent_image: 3,
  };
  const wrong = read({ '3': { class_type: 'KSampler', inputs } })!;
  test.strictSame(wrong.options, { promptSyntax: 'comfyui' });
  test.ok(wrong.notTaken.includes('denoise: 0.5') && wrong.notTaken.includes('seed: -1'));
  const proto = fromGraph(
    '{"__proto__":{"class_type":"KSampler","inputs":{}},"constructor":{"class_type":"toString","inputs":{}}}',
  );
  test.strictSame(proto?.options ?? {}, proto ? { promptSyntax: 'comfyui' } : {});
  test.equal(({} as { class_type?: string }).class_type, undefined);
  const long = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [i, { class_type: 'LoraLoader', inputs: { model: [String(i + 1), 0] } }]),
  );
  const started = performance.now();
  read(long);
  test.ok(performance.now() - started < 1000, 'bounded');
});
