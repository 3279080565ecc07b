// Texts of the AUTOMATIC1111 web UI as options: what is named is taken or listed, never lost.
import t from 'tap';
import { fromParameters } from '../../../lib/record/a1111.js';

t.test('the settings that have an option are taken, the others are listed', async (test) => {
  const text = [
    'a cat <lora:ink:0.8>,',
    'on a roof',
    'Negative prompt: blurry: yes,',
    'dark',
    'Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 9007199254740993, Size: 512x768, ' +
      'Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, Denoising strength: 0.5, ' +
      'ControlNet 0: "Module: canny, Model: c, Weight: 1", Version: v1.9.0',
  ].join('\n');
  const { options, notTaken } = fromParameters(text);
  test.strictSame(options, {
    prompt: 'a cat <lora:ink:0.8>,\non a roof',
    negativePrompt: 'blurry: yes,\ndark',
    steps: 20,
    sampler: 'dpmpp_2m',
    schedule: 'karras',
    guidanceScale: 6.5,
    seed: 9007199254740993n,
    noise: 'a1111',
    width: 512,
    height: 768,
    clipSkip: 1,
  });
  test.strictSame(notTaken, [
    'Model hash: 6ce0161689',
    'Model: v1-5',
    'Denoising strength: 0.5',
    'ControlNet 0: Module: canny, Model: c, Weight: 1',
    'Version: v1.9.0',
  ]);
});

t.test('a second pass is taken whole or not at all', async (test) => {
  const text = (upscaler: string): string =>
    `a\nSteps: 9, Denoising strength: 0.6, Hires upscale: 2, Hires steps: 5, Hires upscaler: ${upscaler}`;
  const { options, notTaken } = fromParameters(text('Latent'));
  test.strictSame(options.hires, { scale: 2, strength: 0.6, steps: 5, upscaler: 'latent' });
  test.strictSame(notTaken, []);
  const other = fromParameters(text('R-ESRGAN 4x+'));
  test.notOk('hires' in other.options);
  test.equal(other.notTaken.length, 4);
});

t.test('old names carry the schedule; a sampler that is not here is listed, not replaced', async (test) => {
  const { options } = fromParameters('a\nSteps: 5, Sampler: DPM++ 2M Karras');
  test.strictSame(options, { prompt: 'a', steps: 5, sampler: 'dpmpp_2m', schedule: 'karras' });
  const { options: none, notTaken } = fromParameters('a\nSteps: 5, Sampler: DPM fast, Size: huge, Seed: -1');
  test.strictSame(none, { prompt: 'a', steps: 5 });
  test.strictSame(notTaken, ['Sampler: DPM fast', 'Size: huge', 'Seed: -1']);
  test.strictSame(fromParameters('only a prompt'), { options: { prompt: 'only a prompt' }, notTaken: [] });
});
