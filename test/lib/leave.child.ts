// Begins a long run and calls process.exit(7) after the step that the first argument names; writes when.
import { Pipeline } from '../../lib/index.js';
import { scene, sketch } from './sketch.js';

const pipe = await Pipeline.load(sketch.path);
const last = Number(process.argv[2]);
await pipe.generate({
  ...scene,
  steps: 500,
  onProgress: (event) => {
    if (event.type !== 'step' || event.step !== last) return;
    process.stdout.write(`${Date.now()}\n`);
    process.exit(7);
  },
});
