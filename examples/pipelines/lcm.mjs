// Few steps: what goes with each kind of distilled LoRA. Without a LoRA the bundled model shows what the settings do; with files
// of yours, a tiny autoencoder last, a picture takes little more than four steps:
//   node examples/pipelines/lcm.mjs sd15 lcm-lora-sdv1-5.safetensors taesd

import { Pipeline } from 'node-ip-adapter';
import { expectUnlike, model, scene, sheet } from '../adapters/stage.mjs';

const [path = model.path, lora, vae] = process.argv.slice(2);
const pipe = await Pipeline.load(path, vae ? { vae } : {});
const whole = await pipe.generate(scene);
if (lora) await pipe.addLora(lora);
const kinds = {
  lcm: { sampler: 'lcm', steps: 4 },
  'tcd, hyper': { sampler: 'tcd', steps: 4, eta: 0.3 },
  lightning: { sampler: 'euler', spacing: 'trailing', steps: 4 },
};
const drawn = [];
for (const [kind, settings] of Object.entries(kinds)) {
  const { images, timings } = await pipe.generate({ ...scene, ...settings, guidanceScale: 1 });
  drawn.push(images[0]);
  expectUnlike(
    images[0],
    whole.images[0],
    `${kind}, ${Math.round(timings.totalMs)} of ${Math.round(whole.timings.totalMs)} ms`,
  );
}
await sheet('lcm', [whole.images[0], ...drawn]);
await pipe.dispose();
