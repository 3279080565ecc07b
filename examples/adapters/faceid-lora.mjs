// A FaceID adapter was trained together with a LoRA. It is inside the adapter's file, and the prompt sets its strength, by the name
// that the LoRA has as a file of its own: the adapter's with _lora.
import { attach, draw, expectAlike, expectUnlike, open, person, scene, sheet } from './stage.mjs';

const pipe = await open();
const adapter = await attach(pipe, 'faceid');
const references = [{ adapter, image: person(2) }];
const at = (strength) =>
  draw(pipe, references, { prompt: `${scene.prompt} <lora:ip-adapter-faceid_sketch_lora:${strength}>` });
const as = await draw(pipe, references);
const [off, half, full] = [await at(0), await at(0.5), await at(1)];
expectUnlike(off, as, 'without the LoRA');
expectUnlike(half, full, 'at a half', 1);
expectAlike(full, as, 'at 1, as when nothing is said');
await sheet('faceid-lora', [person(2), off, half, full]);
await pipe.dispose();
