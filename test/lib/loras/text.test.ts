// LoRAs on the bundled model's UNet and text encoder: what each strength changes, and that nothing is left behind.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { GenerateOptions, Lora, Pipeline } from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { faceId, kohya, LAYERS, written } from '../loras.js';
import { digestOf, drawn, failure, opened, reference, scene, sketch } from '../sketch.js';

const both = written('both', kohya({ ...LAYERS.unet, ...LAYERS.text }));
const unetOnly = written('unet-only', kohya(LAYERS.unet));
const textOnly = written('text-only', kohya(LAYERS.text));
const short: Partial<GenerateOptions> = { steps: 1 };

/** Digests of the UNet and of the text encoder. */
const weights = (pipe: Pipeline): [unet: string, text: string] => {
  const { unet, text } = pipelineParts(pipe).model;
  return [unet.digest(), text[0]!.network.digest()];
};

const start = async (test: Test): Promise<{ pipe: Pipeline; base: [string, string]; plain: string }> => {
  const pipe = await opened(test);
  const base = weights(pipe);
  return { pipe, base, plain: await drawn(pipe, short) };
};

t.test('what a file has for each network acts in that network, and is taken back to the byte', async (test) => {
  const { pipe, base, plain } = await start(test);
  for (const [file, modules, textModules] of [
    [both, 2, 2],
    [unetOnly, 2, 0],
    [textOnly, 0, 2],
  ] as const) {
    const lora = await pipe.addLora(file);
    test.same(lora.info, { modules, textModules, rank: 4 });
    test.not(await drawn(pipe, short), plain, lora.name);
    const [unet, text] = weights(pipe);
    test.equal(unet !== base[0], modules > 0, `${lora.name}: UNet`);
    test.equal(text !== base[1], textModules > 0, `${lora.name}: text encoder`);
    await lora.dispose();
    test.same(weights(pipe), base, lora.name);
    test.equal(await drawn(pipe, short), plain, 'no encoding of the other weights is left');
  }
});

t.test('textScale 0 leaves the text encoder alone, and is another picture', async (test) => {
  const { pipe, base } = await start(test);
  const lora = await pipe.addLora(both, { textScale: 0 });
  test.match(lora, { scale: 1, textScale: 0 });
  const without = await drawn(pipe, short);
  test.equal(weights(pipe)[1], base[1]);
  test.not(weights(pipe)[0], base[0]);
  await lora.dispose();
  await pipe.addLora(both);
  const whole = await drawn(pipe, short);
  test.not(whole, without);
  const prompt = (tag: string) => drawn(pipe, { ...short, prompt: `${scene.prompt}${tag}` });
  test.equal(await prompt('<lora:both:0:1>'), without, '<lora:name:te:unet>');
  test.equal(await prompt('<lora:both:te=0:unet=1>'), without, 'named');
  test.equal(await prompt('<lora:both:1>'), whole, 'one number is both');
  await prompt('<lora:both:1:0>');
  test.equal(weights(pipe)[0], base[0], 'text alone');
  test.not(weights(pipe)[1], base[1]);
  for (const tag of ['<lora:both:3:1>', '<lora:both:1:3>'])
    test.match(await failure(pipe.generate({ ...scene, prompt: tag })), { code: 'OPTION_RANGE' }, tag);
});

t.test('a run has a list of its own, prompts win over it, and the record says what acted', async (test) => {
  const { pipe, plain } = await start(test);
  const first = await pipe.addLora(both, { scale: 0.5 });
  await pipe.addLora(unetOnly, { textScale: 0.25 });
  const hash = (file: string): string => digestOf(readFileSync(file));
  const run = async (options: Partial<GenerateOptions>) => {
    const { images } = await pipe.generate({ ...scene, ...short, ...options });
    return { picture: digestOf(images[0]!.data), loras: images[0]!.metadata.loras };
  };
  test.same((await run({})).loras, [
    { name: 'both', scale: 0.5, textScale: 0.5, sha256: hash(both) },
    { name: 'unet-only', scale: 1, textScale: 0.25, sha256: hash(unetOnly) },
  ]);
  test.same(await run({ loras: [] }), { picture: plain, loras: [] });
  const one = await run({ loras: [{ lora: first }] });
  test.same(
    one.loras,
    [{ name: 'both', scale: 0.5, textScale: 0.5, sha256: hash(both) }],
    'as attached, without the other',
  );
  test.same(await run({ loras: [{ lora: 'both', scale: 0.5 }] }), one, 'by name');
  const tagged = await run({ loras: [{ lora: 'both', scale: 2 }], prompt: `${scene.prompt}<lora:both:0.5>` });
  test.same(tagged, one, 'the prompt wins');
  test.same(
    (await run({ loras: [{ lora: 'both', textScale: 0 }], prompt: `${scene.prompt}<lora:unet-only:0.5>` })).loras,
    [
      { name: 'both', scale: 0.5, textScale: 0, sha256: hash(both) },
      { name: 'unet-only', scale: 0.5, textScale: 0.5, sha256: hash(unetOnly) },
    ],
    'a prompt adds to the list',
  );
  for (const [loras, code, message] of [
    [[{ lora: 'bath' }], 'OPTION_UNKNOWN', 'No LoRA named "bath"'],
    [[{ lora: first }, { lora: 'both' }], 'OPTION_CONFLICT', 'loras[1] names "both" again'],
    [[{ lora: 7 as unknown as string }], 'OPTION_TYPE', 'loras[0].lora'],
  ] as const)
    test.match(await failure(pipe.generate({ ...scene, loras })), { code, message });
  await first.dispose();
  test.match(await failure(pipe.generate({ ...scene, loras: [{ lora: first }] })), { code: 'CLOSED' });
});

t.test('a hundred random orders of attaching, drawing and detaching leave every weight as it was', async (test) => {
  const { pipe, base } = await start(test);
  const files = { both, unetOnly, textOnly };
  const { full } = await faceId(pipe);
  const adapterFile = written('random-faceid', full);
  const identity = new Float32Array(512).fill(0.05);
  const strength = fc.constantFrom(-1, 0, 0.5, 1);
  const orders = fc.array(
    fc.record({
      what: fc.constantFrom('both', 'unetOnly', 'textOnly', 'adapter'),
      scale: strength,
      textScale: strength,
      draws: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );
  /** Merges what is attached, as a run does before it draws. */
  await fc.assert(
    fc.asyncProperty(orders, fc.boolean(), async (steps, backwards) => {
      const attached = new Map<string, Lora | Awaited<ReturnType<Pipeline['addAdapter']>>>();
      for (const { what, scale, textScale, draws } of steps) {
        const there = attached.get(what);
        if (there) {
          await there.dispose();
          attached.delete(what);
        } else if (what === 'adapter') attached.set(what, await pipe.addAdapter(adapterFile));
        else attached.set(what, await pipe.addLora(files[what], { name: what, scale, textScale }));
        if (!draws) continue;
        const references = attached.has('adapter') ? [{ face: { identity } }] : [];
        await pipe.generate({ ...scene, ...short, width: 64, height: 64, references });
      }
      const rest = [...attached.values()];
      for (const handle of backwards ? rest.reverse() : rest) await handle.dispose();
      const now = weights(pipe);
      if (now[0] !== base[0] || now[1] !== base[1]) throw new Error(`${now.join(' ')} in place of ${base.join(' ')}`);
    }),
    { numRuns: 100, seed: 11 },
  );
  test.same(weights(pipe), base);
});

t.test('a run that does not name the adapter draws as before it was attached, LoRAs on text or not', async (test) => {
  const { pipe } = await start(test);
  await pipe.addLora(both);
  const before = await drawn(pipe, short);
  const adapter = await pipe.addAdapter(sketch.adapters.faceid, { face: sketch.face });
  test.equal(await drawn(pipe, short), before);
  test.not(await drawn(pipe, { ...short, references: [{ adapter, image: reference('person-5-1.png') }] }), before);
  test.equal(await drawn(pipe, short), before);
});
