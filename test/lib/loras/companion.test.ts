// A FaceID adapter's LoRA, inside its file or beside it: it acts once, in runs that name the adapter, whatever it is called.
import t, { type Test } from 'tap';
import { adapterLora } from '../../../lib/adapters/companion.js';
import { variantRow } from '../../../lib/adapters/variants.js';
import type { GenerateOptions, Pipeline } from '../../../lib/index.js';
import type { NetworkHandle } from '../../../lib/native/types.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { fakeEngine } from '../fake-engine.js';
import { faceId, kohya, LAYERS, madeUp, type Tensors, written } from '../loras.js';
import { digestOf, drawn, failure, opened, scene, sketch } from '../sketch.js';

const identity = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i + 1));
const references = [{ face: { identity } }];
const short: Partial<GenerateOptions> = { steps: 2 };

interface Start {
  readonly pipe: Pipeline;
  readonly file: string;
  readonly bare: string;
  readonly companion: string;
  /** The scene without adapter, and with the whole adapter at loraScale 1 and 0.5. */
  readonly plain: string;
  readonly whole: string;
  readonly half: string;
}

const start = async (test: Test, strict = false): Promise<Start> => {
  const pipe = await opened(test, { strict });
  const made = await faceId(pipe);
  const [file, bare] = [written('my-face', made.full), written('bare', made.bare)];
  const plain = await drawn(pipe, short);
  const adapter = await pipe.addAdapter(file);
  const whole = await drawn(pipe, { ...short, references });
  const half = await drawn(pipe, { ...short, references: [{ ...references[0]!, loraScale: 0.5 }] });
  await adapter.dispose();
  test.equal(new Set([plain, whole, half]).size, 3, 'LoRA and adapter act');
  return { pipe, file, bare, companion: written('companion', made.companion), plain, whole, half };
};

const tagged = (pipe: Pipeline, tag: string): Promise<string> =>
  drawn(pipe, { ...short, references, prompt: `${scene.prompt}${tag}` });
const codes = async (pipe: Pipeline, options: Partial<GenerateOptions>): Promise<readonly string[]> =>
  (await pipe.generate({ ...scene, ...short, ...options })).warnings.map(({ code }) => code);

t.test('the file alone, with its companion, after addLora and by the prompt: one picture', async (test) => {
  const { pipe, file, companion, plain, whole, half } = await start(test);
  const adapter = await pipe.addAdapter(file, { lora: companion });
  test.equal(adapter.info.loraRank, 16);
  test.equal(await drawn(pipe, { ...short, references }), whole, 'the option lora');
  for (const name of ['companion', 'my-face_lora']) {
    test.equal(await tagged(pipe, `<lora:${name}:1>`), whole, name);
    test.equal(await tagged(pipe, `<lora:${name}:0.5>`), half, `${name} at a half`);
    test.equal(await drawn(pipe, { ...short, references, loras: [{ lora: name, scale: 0.5 }] }), half, 'loras');
  }
  test.equal(await drawn(pipe, short), plain, 'a run that does not name it');
  const lora = await pipe.addLora(companion, { name: 'strength', scale: 0.5 });
  test.equal(await drawn(pipe, { ...short, references }), half, 'addLora sets the strength');
  test.equal(await tagged(pipe, '<lora:strength:1>'), whole);
  test.equal(await drawn(pipe, { ...short, references: [{ ...references[0]!, loraScale: 1 }] }), whole, 'a reference');
  test.equal(await drawn(pipe, { ...short, references, loras: [] }), whole, 'left out of the list: as before it');
  test.equal(await drawn(pipe, { ...short, references, loras: [{ lora, scale: 1 }] }), whole);
  test.equal(await drawn(pipe, short), plain, 'and changes nothing by itself');
  await lora.dispose();
  test.equal(await drawn(pipe, { ...short, references }), whole, 'detached: as before');
  test.same(pipe.info.warnings, []);
});

t.test('attached before the adapter it is the same, and the record says the strength', async (test) => {
  const { pipe, file, companion, plain, whole, half } = await start(test);
  const digest = pipelineParts(pipe).model.unet.digest();
  await pipe.addLora(companion, { scale: 0.5 });
  const alone = await drawn(pipe, short);
  test.not(alone, plain, 'without the adapter it is a LoRA as any other');
  const adapter = await pipe.addAdapter(file);
  const { images } = await pipe.generate({ ...scene, ...short, references });
  test.equal(digestOf(images[0]!.data), half);
  test.match(images[0]!.metadata, { loras: [], references: [{ loraScale: 0.5 }] });
  test.equal(await tagged(pipe, '<lora:companion:1>'), whole);
  test.equal(await drawn(pipe, short), plain);
  await adapter.dispose();
  test.equal(await drawn(pipe, short), alone, 'and again, when the adapter is gone');
  await pipe.generate({ ...scene, ...short, loras: [] });
  test.equal(pipelineParts(pipe).model.unet.digest(), digest);
});

t.test('both attached at the same time find each other', async (test) => {
  const { pipe, file, companion, half } = await start(test);
  await Promise.all([pipe.addAdapter(file), pipe.addLora(companion, { scale: 0.5 })]);
  test.equal(await drawn(pipe, { ...short, references }), half);
});

t.test('an adapter without a LoRA takes the companion’s, or a warning', async (test) => {
  const { pipe, bare, companion, whole, half, plain } = await start(test);
  const without = await pipe.addAdapter(bare, { name: 'without' });
  test.match(pipe.info.warnings, [{ code: 'ADAPTER_LORA_MISSING', message: 'bare_lora' }]);
  test.equal(without.info.loraRank, 0);
  test.not(await drawn(pipe, { ...short, references }), whole);
  await without.dispose();
  const adapter = await pipe.addAdapter(bare, { lora: companion });
  test.equal(adapter.info.loraRank, 16);
  test.equal(await drawn(pipe, { ...short, references }), whole);
  test.equal(await tagged(pipe, '<lora:bare_lora:0.5>'), half);
  test.equal(await drawn(pipe, short), plain);
  await pipe.addLora(companion, { scale: 0.5 });
  test.equal(await drawn(pipe, { ...short, references }), half, 'addLora of what is its LoRA');
  test.equal(pipe.info.warnings.length, 1);
});

t.test('a companion with other numbers is named, and what is inside acts', async (test) => {
  const { pipe, file, companion, whole } = await start(test);
  const { full } = await faceId(pipe);
  const names = [...(await faceId(pipe)).companion];
  const others: Tensors = madeUp(Object.fromEntries(names.map(([name, { shape }]) => [name, shape])));
  await pipe.addAdapter(file, { lora: written('others', others) });
  test.match(pipe.info.warnings, [{ code: 'ADAPTER_LORA_MISSING', message: /others .*my-face/ }]);
  test.equal(await drawn(pipe, { ...short, references }), whole);
  const { pipe: strict } = await start(test, true);
  const wrong = await failure(strict.addAdapter(file, { lora: written('others', others) }));
  test.match(wrong, { code: 'ADAPTER_LORA_MISSING' });
  test.match(await failure(strict.addAdapter(file, { lora: written('no-lora', full) })), {
    code: 'LORA_KEYS_UNMATCHED',
  });
  const portrait = { name: 'portrait', face: sketch.face, lora: companion };
  test.match(await failure(strict.addAdapter(sketch.adapters['faceid-portrait'], portrait)), {
    code: 'OPTION_CONFLICT',
  });
  await strict.addAdapter(file, { lora: companion });
});

t.test('a published adapter’s LoRA has the name of its companion, whatever the file is called', async (test) => {
  const { host } = fakeEngine();
  const namesOf = async (variant: string, version: 'v1' | 'v2' | undefined, family: string) => {
    const network = { info: { kind: 'adapter', loraRank: 128, family } } as unknown as NetworkHandle;
    const context = { host, networks: [], stop: host.stop(), warn: (code: string) => test.fail(code) };
    const of = { file: '/x/face.bin', companion: undefined, network, row: variantRow(variant), version };
    return (await adapterLora(context, of))?.names;
  };
  for (const [variant, version, family, stem] of [
    ['faceid', undefined, 'SD1.5', 'faceid_sd15'],
    ['faceid', undefined, 'SDXL', 'faceid_sdxl'],
    ['faceid-plus', 'v1', 'SD1.5', 'faceid-plus_sd15'],
    ['faceid-plus', 'v2', 'SD1.5', 'faceid-plusv2_sd15'],
    ['faceid-plus', 'v2', 'SDXL', 'faceid-plusv2_sdxl'],
  ] as const)
    test.same(await namesOf(variant, version, family), ['face_lora', `ip-adapter-${stem}_lora`]);
  test.same(await namesOf('faceid', undefined, 'custom'), ['face_lora']);
});

t.test('what cannot act is warned of', async (test) => {
  const { pipe, file, companion, half } = await start(test);
  await pipe.addAdapter(file, { lora: companion });
  test.same(await codes(pipe, { prompt: 'a man <lora:companion:1>' }), ['OPTION_CONFLICT'], 'no reference names it');
  test.same(await codes(pipe, { loras: [{ lora: 'companion' }] }), ['OPTION_CONFLICT']);
  const given = [{ ...references[0]!, loraScale: 1 }];
  const both = { prompt: `${scene.prompt}<lora:companion:0.5>`, references: given };
  test.same(await codes(pipe, both), ['OPTION_CONFLICT'], 'a reference says otherwise');
  test.equal(await drawn(pipe, { ...short, ...both }), half, 'the prompt wins');
  test.same(await codes(pipe, { references: given, loras: [{ lora: 'companion', scale: 1 }] }), []);
  const style = await pipe.addLora(written('style', kohya(LAYERS.unet)));
  test.not(await drawn(pipe, { ...short, references }), half, 'another LoRA is one more change');
  test.match(await failure(pipe.generate({ ...scene, prompt: '<lora:my_face_lora:1>' })), {
    code: 'OPTION_UNKNOWN',
    hint: '"my-face_lora"',
  });
  await style.dispose();
});
