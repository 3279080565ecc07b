// Golden networks, with adapters and without, and projectors on the emulated device in f32, fp16 and bf16.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cardLevels, cardResults } from './runner/run.mjs';

const seen = new Map<string, number>();
for await (const { case: name, kind, level, status, message, worst, limit } of cardResults(
  fileURLToPath(new URL('./golden', import.meta.url)),
)) {
  seen.set(kind, (seen.get(kind) ?? 0) + 1);
  await t.test(`${name} on ${level}`, async (test) =>
    test.equal(status, 'passed', status === 'passed' ? message : `${message}, worst ${worst} of ${limit}`),
  );
}
t.test('every kind that runs on a card was there, on every level', async (test) => {
  for (const kind of [
    'network/unet',
    'network/vae',
    'network/clip-text',
    'network/clip-vision',
    'adapter/image-prompts',
    'adapter/masks',
    'adapter/inner-lora',
    'projector',
  ])
    test.ok((seen.get(kind) ?? 0) >= cardLevels.length, kind);
});
