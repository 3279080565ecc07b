// Begins a long run and leaves the process in its middle, in the way that the first argument names.
import { defaultModel, Pipeline } from '../../lib/index.js';

const pipe = await Pipeline.load(defaultModel().path);
const way = process.argv[2];
let left = false;
const leave = (): void => {
  if (left) return;
  left = true;
  process.stdout.write(`${Date.now()}\n`);
  if (way === 'exit') process.exit(7);
  if (way === 'throw')
    setImmediate(() => {
      throw new Error('on purpose');
    });
  if (way === 'reject') void Promise.reject(new Error('on purpose'));
  if (way === 'term') process.kill(process.pid, 'SIGTERM');
};
await pipe.generate({
  prompt: 'portrait of a man',
  steps: 900,
  onProgress: (e) => e.type === 'step' && e.step > 1 && leave(),
});
